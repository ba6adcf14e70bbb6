<?php
// For data/web/inc/vars.local.inc.php: a link in the menu of apps, beside webmail.
$MAILCOW_APPS[] = array(
  'name' => 'Import mail',
  'link' => 'https://import.example.org/'
);
