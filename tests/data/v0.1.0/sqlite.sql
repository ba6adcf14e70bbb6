BEGIN TRANSACTION;
CREATE TABLE accounts (
	seq INTEGER NOT NULL, 
	import_id TEXT NOT NULL, 
	source_key TEXT NOT NULL, 
	source_folder TEXT NOT NULL, 
	destination_folder TEXT NOT NULL, 
	found BIGINT NOT NULL, 
	copied BIGINT NOT NULL, 
	present BIGINT NOT NULL, 
	duplicate BIGINT NOT NULL, 
	skipped JSON NOT NULL, 
	failed BIGINT NOT NULL, 
	copied_bytes BIGINT NOT NULL, 
	keywords_dropped BIGINT NOT NULL, 
	confirmed BIGINT, 
	source_recount BIGINT, 
	elsewhere BIGINT NOT NULL, 
	flags_updated BIGINT NOT NULL, 
	CONSTRAINT accounts_pk PRIMARY KEY (seq), 
	CONSTRAINT accounts_import_id_source_key_key UNIQUE (import_id, source_key), 
	CONSTRAINT accounts_import_id_fk FOREIGN KEY(import_id) REFERENCES imports (id)
);
INSERT INTO "accounts" VALUES(1,'6f94fqzpjxd2','83ecb521bf320f677287e8b923809bb3','INBOX','INBOX',6,3,1,1,'{}',1,6000,0,3,6,0,0);
INSERT INTO "accounts" VALUES(2,'6f94fqzpjxd2','ab5ee80993a44ac84eb323a5eff40b9f','Entwürfe','Drafts',2,2,0,0,'{}',0,4000,0,2,2,0,0);
INSERT INTO "accounts" VALUES(3,'nd6d3bajghmp','83ecb521bf320f677287e8b923809bb3','INBOX','INBOX',6,3,1,1,'{}',1,6000,0,3,6,0,0);
INSERT INTO "accounts" VALUES(4,'nd6d3bajghmp','ab5ee80993a44ac84eb323a5eff40b9f','Entwürfe','Drafts',2,2,0,0,'{}',0,4000,0,2,2,0,0);
INSERT INTO "accounts" VALUES(5,'affkwndsk3ds','83ecb521bf320f677287e8b923809bb3','INBOX','INBOX',6,3,1,1,'{}',1,6000,0,3,6,0,0);
INSERT INTO "accounts" VALUES(6,'affkwndsk3ds','ab5ee80993a44ac84eb323a5eff40b9f','Entwürfe','Drafts',2,2,0,0,'{}',0,4000,0,2,2,0,0);
INSERT INTO "accounts" VALUES(7,'fu2tmxxrh6m8','83ecb521bf320f677287e8b923809bb3','INBOX','INBOX',6,3,1,1,'{}',1,6000,0,3,6,0,0);
INSERT INTO "accounts" VALUES(8,'fu2tmxxrh6m8','ab5ee80993a44ac84eb323a5eff40b9f','Entwürfe','Drafts',2,2,0,0,'{}',0,4000,0,2,2,0,0);
INSERT INTO "accounts" VALUES(9,'suzgbs2c59py','83ecb521bf320f677287e8b923809bb3','INBOX','INBOX',6,3,1,1,'{}',1,6000,0,3,6,0,0);
INSERT INTO "accounts" VALUES(10,'suzgbs2c59py','ab5ee80993a44ac84eb323a5eff40b9f','Entwürfe','Drafts',2,2,0,0,'{}',0,4000,0,2,2,0,0);
INSERT INTO "accounts" VALUES(11,'ryry9qyzk6gx','83ecb521bf320f677287e8b923809bb3','INBOX','INBOX',6,3,1,1,'{}',1,6000,0,3,6,0,0);
INSERT INTO "accounts" VALUES(12,'ryry9qyzk6gx','ab5ee80993a44ac84eb323a5eff40b9f','Entwürfe','Drafts',2,2,0,0,'{}',0,4000,0,2,2,0,0);
INSERT INTO "accounts" VALUES(13,'tg4k4cs53zmz','83ecb521bf320f677287e8b923809bb3','INBOX','INBOX',6,3,1,1,'{}',1,6000,0,3,6,0,0);
INSERT INTO "accounts" VALUES(14,'tg4k4cs53zmz','ab5ee80993a44ac84eb323a5eff40b9f','Entwürfe','Drafts',2,2,0,0,'{}',0,4000,0,2,2,0,0);
INSERT INTO "accounts" VALUES(15,'73ppgkbt94h9','83ecb521bf320f677287e8b923809bb3','INBOX','INBOX',6,3,1,1,'{}',1,6000,0,3,6,0,0);
INSERT INTO "accounts" VALUES(16,'73ppgkbt94h9','ab5ee80993a44ac84eb323a5eff40b9f','Entwürfe','Drafts',2,2,0,0,'{}',0,4000,0,2,2,0,0);
CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE answers (
	token_id TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	fingerprint TEXT NOT NULL, 
	status INTEGER, 
	sealed BLOB NOT NULL, 
	expires_at DATETIME NOT NULL, 
	CONSTRAINT answers_pk PRIMARY KEY (token_id, "key")
);
CREATE TABLE backoffs (
	name TEXT NOT NULL, 
	until DATETIME NOT NULL, 
	code TEXT NOT NULL, 
	message TEXT NOT NULL, 
	server_text TEXT NOT NULL, 
	CONSTRAINT backoffs_pk PRIMARY KEY (name)
);
CREATE TABLE batches (
	seq INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	created_at DATETIME NOT NULL, 
	name TEXT NOT NULL, 
	submitter TEXT NOT NULL, 
	language TEXT NOT NULL, 
	imports JSON NOT NULL, 
	owner TEXT NOT NULL, 
	CONSTRAINT batches_pk PRIMARY KEY (seq), 
	CONSTRAINT batches_id_key UNIQUE (id)
);
INSERT INTO "batches" VALUES(1,'u3ct2xftb3df','2026-11-29 12:59:43.264967','people.csv','ada@new.example','de','["57wz7t5myupq", "6f94fqzpjxd2", "nd6d3bajghmp", "affkwndsk3ds", "fu2tmxxrh6m8", "suzgbs2c59py", "ryry9qyzk6gx", "tg4k4cs53zmz", "73ppgkbt94h9"]','mailbox:ada@new.example imap.new.example');
CREATE TABLE calls (
	seq INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
	hook TEXT NOT NULL, 
	event_id TEXT NOT NULL, 
	body TEXT NOT NULL, 
	created_at DATETIME NOT NULL, 
	state TEXT NOT NULL, 
	attempts INTEGER NOT NULL, 
	not_before DATETIME, 
	error TEXT NOT NULL, 
	CONSTRAINT calls_pk PRIMARY KEY (seq), 
	CONSTRAINT calls_key_key UNIQUE ("key")
);
CREATE TABLE consents (
	import_id TEXT NOT NULL, 
	side TEXT NOT NULL, 
	token_hash TEXT NOT NULL, 
	token BLOB NOT NULL, 
	asked_at DATETIME NOT NULL, 
	expires_at DATETIME NOT NULL, 
	state_hash TEXT NOT NULL, 
	question BLOB NOT NULL, 
	CONSTRAINT consents_pk PRIMARY KEY (import_id, side), 
	CONSTRAINT consents_import_id_fk FOREIGN KEY(import_id) REFERENCES imports (id), 
	CONSTRAINT consents_token_hash_key UNIQUE (token_hash)
);
CREATE TABLE counts (
	"key" TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	expires_at DATETIME NOT NULL, 
	CONSTRAINT counts_pk PRIMARY KEY ("key")
);
INSERT INTO "counts" VALUES('login:client:192.0.2.1',1,'2026-11-29 13:14:43.270207');
CREATE TABLE created_folders (
	seq INTEGER NOT NULL, 
	import_id TEXT NOT NULL, 
	folder_key TEXT NOT NULL, 
	folder TEXT NOT NULL, 
	CONSTRAINT created_folders_pk PRIMARY KEY (seq), 
	CONSTRAINT created_folders_import_id_folder_key_key UNIQUE (import_id, folder_key)
);
CREATE TABLE folder_maps (
	route TEXT NOT NULL, 
	source_key TEXT NOT NULL, 
	source_folder TEXT NOT NULL, 
	destination_folder TEXT NOT NULL, 
	CONSTRAINT folder_maps_pk PRIMARY KEY (route, source_key)
);
INSERT INTO "folder_maps" VALUES('8a365e9acce1a3b2c056bb76d49727e5','83ecb521bf320f677287e8b923809bb3','INBOX','INBOX');
INSERT INTO "folder_maps" VALUES('8a365e9acce1a3b2c056bb76d49727e5','ab5ee80993a44ac84eb323a5eff40b9f','Entwürfe','Drafts');
INSERT INTO "folder_maps" VALUES('3759b89bc72f0796ae332c9e8e11b0bb','83ecb521bf320f677287e8b923809bb3','INBOX','INBOX');
INSERT INTO "folder_maps" VALUES('3759b89bc72f0796ae332c9e8e11b0bb','ab5ee80993a44ac84eb323a5eff40b9f','Entwürfe','Drafts');
INSERT INTO "folder_maps" VALUES('9e21fb8cd92935f92819204b797485e0','83ecb521bf320f677287e8b923809bb3','INBOX','INBOX');
INSERT INTO "folder_maps" VALUES('9e21fb8cd92935f92819204b797485e0','ab5ee80993a44ac84eb323a5eff40b9f','Entwürfe','Drafts');
INSERT INTO "folder_maps" VALUES('0e98ed0e1d1617cd3f16f3727d0233cf','83ecb521bf320f677287e8b923809bb3','INBOX','INBOX');
INSERT INTO "folder_maps" VALUES('0e98ed0e1d1617cd3f16f3727d0233cf','ab5ee80993a44ac84eb323a5eff40b9f','Entwürfe','Drafts');
INSERT INTO "folder_maps" VALUES('ead608148ee6ce231065838bd4e1bc16','83ecb521bf320f677287e8b923809bb3','INBOX','INBOX');
INSERT INTO "folder_maps" VALUES('ead608148ee6ce231065838bd4e1bc16','ab5ee80993a44ac84eb323a5eff40b9f','Entwürfe','Drafts');
INSERT INTO "folder_maps" VALUES('0d054987885c83b471550fcb4bb22397','83ecb521bf320f677287e8b923809bb3','INBOX','INBOX');
INSERT INTO "folder_maps" VALUES('0d054987885c83b471550fcb4bb22397','ab5ee80993a44ac84eb323a5eff40b9f','Entwürfe','Drafts');
INSERT INTO "folder_maps" VALUES('1f7ee1b3cf6aced2ac8aeb28a263d3d8','83ecb521bf320f677287e8b923809bb3','INBOX','INBOX');
INSERT INTO "folder_maps" VALUES('1f7ee1b3cf6aced2ac8aeb28a263d3d8','ab5ee80993a44ac84eb323a5eff40b9f','Entwürfe','Drafts');
INSERT INTO "folder_maps" VALUES('3ef13f254aa23f126f0334e917bfc9da','83ecb521bf320f677287e8b923809bb3','INBOX','INBOX');
INSERT INTO "folder_maps" VALUES('3ef13f254aa23f126f0334e917bfc9da','ab5ee80993a44ac84eb323a5eff40b9f','Entwürfe','Drafts');
CREATE TABLE grants (
	import_id TEXT NOT NULL, 
	source BLOB NOT NULL, 
	destination BLOB NOT NULL, 
	CONSTRAINT grants_pk PRIMARY KEY (import_id), 
	CONSTRAINT grants_import_id_fk FOREIGN KEY(import_id) REFERENCES imports (id)
);
INSERT INTO "grants" VALUES('57wz7t5myupq',X'67414141414142724443475F746A514F504C5F36365A73496B3456342D3751596D35523744766842776270545144446974524377453256306F4363654E2D2D4C45675068784441556F646D346F31634C776973326C5667566B5F4C4E734268514153573550454F654650547555775F564A2D34474B6F3332434749534662636D56496738564F3454585A43416B4A6C7A4A426233494479387858316949797938764B4537625156453571364479634B5478793944444B733D',X'67414141414142724443475F5779615042485F3644494270744F50544C6373636541745A6D5479734A34654244564379564857373632325F3679756939496E6C505730375765304658434A4B574342574D33334D526433634A665F74794C63597A68517362644C32584D6D3774525A653241656835754D453044346C775171374A5543556E2D634F56574A66544B4A5139554263556E5362506D6669766B6551756354646863426F4D7A686B365471534E6C41717A61383D');
INSERT INTO "grants" VALUES('6f94fqzpjxd2',X'67414141414142724443475F674E66775931336948555461646851642D76556556614D39326468525F6A67725A6B7138567974447A58426D5A7A6B6D546E635A6A6B57706D663867586D30495046384B7A38454E763651336F4D5435313041493168685F6935437734694C346D574774524D524A726169383732364E4943517077626B584B61377152575F644A6543326E545A4E3934663170396963657A4330697144344B316D4D4C6D6176556479464338632D645F4D3D',X'67414141414142724443475F4A52356A3648315833487377364B574F6B3742414B553938344C5A4C57476B75764973764E4550434C6975316B42515F4947353668475A4B51553671445643756D65785F546D75306430595A6C6D51347A37546C586C36616D74537A7033626176663632574A6642716974764F754D76637033506F67414B7230706F6535644673655762763133763077326734644C507849726C6C626B742D5F63456D5A7A674F516270644654336845593D');
INSERT INTO "grants" VALUES('nd6d3bajghmp',X'67414141414142724443475F4438455330485A6C576C4E7261676C4E58454F4168624B6F662D746B7166395742586E6A4E6E7A69345A375350694E68515F663646736762784B6E346766717278454B654D7054726F6A4D637067656E695074313542586A6141694875424B654351676978532D494A6C7759434B702D61354251765152305A66395744526978554E38734D7A537A64627A6C5363395269474B6A71385075766A356D6D654733564F7746556F31356557633D',X'67414141414142724443475F6D6A576C375578346D552D634679454E4236464E6D6F75754B45474277584F68446A6148787134306C503036576B375271415036714B6A7774544A773541357A4939493151764269444F62783453304C5F564942704C4F47593563416758784D6F385A734B3877496650756C4B7132627A513747474739774A46686D696D6E776746574A48693830752D317A45725A334143316D493477536E5F6F536A4259334F5F6756424B564F362D343D');
INSERT INTO "grants" VALUES('affkwndsk3ds',X'67414141414142724443475F6876424C31396D435A4E69526B665F42514F7279454F6C4C706B59504874567753614B656F614B66614A34737164796F7738566854464A7476486F55665F58576C7731776B4A6B5961347A6C705F4A31434454327263454873454276526E7A73736F3132734F594D4F552D67616E6F4A48624672595131555875685A65414B39325136454D7A344C676E5F4C6777674D4C5A52754F627952724A6E667476535548393936365F69747154453D',X'67414141414142724443475F6F6254645F6376676C49735876396E336C547A3452442D616B516D48622D3256396E59344175787A694C4D75464C5F7A4B314C31615A4A584F41726C344B66594A4E585463383139656B54366C4C5A76627A534C5941514A655A4C726E71654D42706D4D674358657472785F4A7A433568704B56346D6C69394F614E6948426B496B34496232645273792D303143374943465A48554331564241475F416354447A426E37415F33304F77453D');
CREATE TABLE imports (
	seq INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	submission INTEGER NOT NULL, 
	batch_id TEXT, 
	"row" INTEGER NOT NULL, 
	route TEXT NOT NULL, 
	source_address TEXT NOT NULL, 
	source_login TEXT NOT NULL, 
	source_host TEXT NOT NULL, 
	source_port INTEGER NOT NULL, 
	source_security TEXT NOT NULL, 
	source_guarded BOOLEAN NOT NULL, 
	destination_address TEXT NOT NULL, 
	destination_login TEXT NOT NULL, 
	destination_host TEXT NOT NULL, 
	destination_port INTEGER NOT NULL, 
	destination_security TEXT NOT NULL, 
	destination_guarded BOOLEAN NOT NULL, 
	created_at DATETIME NOT NULL, 
	submitter TEXT NOT NULL, 
	language TEXT NOT NULL, 
	state TEXT NOT NULL, 
	problem_code TEXT, 
	problem_message TEXT, 
	problem_side TEXT, 
	problem_server_text TEXT, 
	not_before DATETIME, 
	attempts INTEGER NOT NULL, 
	progress JSON NOT NULL, 
	started_at DATETIME, 
	finished_at DATETIME, 
	labels TEXT NOT NULL, 
	has_labels BOOLEAN NOT NULL, 
	sync_flags BOOLEAN NOT NULL, 
	password_mark TEXT NOT NULL, 
	wish TEXT, 
	held_up_since DATETIME, 
	CONSTRAINT imports_pk PRIMARY KEY (seq), 
	CONSTRAINT imports_id_key UNIQUE (id), 
	CONSTRAINT imports_submission_fk FOREIGN KEY(submission) REFERENCES batches (seq)
);
INSERT INTO "imports" VALUES(1,'57wz7t5myupq',1,'u3ct2xftb3df',2,'4346888ff10eb5751d53d812ea8846e0','queued@old.example','queued@old.example','imap.old.example',993,'tls',0,'queued@new.example','queued@new.example','imap.new.example',993,'tls',0,'2026-11-29 12:59:43.256960','ada@new.example','de','queued',NULL,NULL,NULL,NULL,NULL,0,'{"folder": "", "folders_done": 0, "folders_total": 0, "messages_done": 0, "messages_total": 0, "bytes_done": 0}',NULL,NULL,'one',0,0,'6dec3d586a0f66f5722e7000c4e5db5a',NULL,NULL);
INSERT INTO "imports" VALUES(2,'6f94fqzpjxd2',1,'u3ct2xftb3df',3,'8a365e9acce1a3b2c056bb76d49727e5','running@old.example','running@old.example','imap.old.example',993,'tls',0,'running@new.example','running@new.example','imap.new.example',993,'tls',0,'2026-11-29 12:59:43.261113','ada@new.example','de','running',NULL,NULL,NULL,NULL,NULL,0,'{"folder": "INBOX", "folders_done": 1, "folders_total": 2, "messages_done": 8, "messages_total": 8, "bytes_done": 10000}','2026-11-29 12:59:43.270207',NULL,'one',0,1,'2616efec1593dd9a3518ad965b866d93',NULL,NULL);
INSERT INTO "imports" VALUES(3,'nd6d3bajghmp',1,'u3ct2xftb3df',4,'3759b89bc72f0796ae332c9e8e11b0bb','waiting@old.example','waiting@old.example','imap.old.example',993,'tls',0,'waiting@new.example','waiting@new.example','imap.new.example',993,'tls',0,'2026-11-29 12:59:43.261875','ada@new.example','de','waiting','server_unavailable','imap.old.example is busy or in maintenance. It is tried again later.','source','[UNAVAILABLE] come back later','2026-11-29 13:04:43.270207',2,'{"folder": "INBOX", "folders_done": 1, "folders_total": 2, "messages_done": 8, "messages_total": 8, "bytes_done": 10000}','2026-11-29 12:59:43.270207',NULL,'one',0,0,'594659652b9526ddc84a882dafbadafc',NULL,'2026-11-29 12:59:43.270207');
INSERT INTO "imports" VALUES(4,'affkwndsk3ds',1,'u3ct2xftb3df',5,'9e21fb8cd92935f92819204b797485e0','paused@old.example','paused@old.example','imap.old.example',993,'tls',0,'paused@new.example','paused@new.example','imap.new.example',993,'tls',0,'2026-11-29 12:59:43.262428','ada@new.example','de','paused',NULL,NULL,NULL,NULL,'2026-12-13 12:59:43.270207',0,'{"folder": "INBOX", "folders_done": 1, "folders_total": 2, "messages_done": 8, "messages_total": 8, "bytes_done": 10000}','2026-11-29 12:59:43.270207',NULL,'one',0,1,'df2fba559132ef9eb9989caf4c5d9cc1','pause','2026-11-29 12:59:43.270207');
INSERT INTO "imports" VALUES(5,'fu2tmxxrh6m8',1,'u3ct2xftb3df',6,'0e98ed0e1d1617cd3f16f3727d0233cf','complete@old.example','complete@old.example','imap.old.example',993,'tls',0,'complete@new.example','complete@new.example','imap.new.example',993,'tls',0,'2026-11-29 12:59:43.262884','ada@new.example','de','complete',NULL,NULL,NULL,NULL,NULL,0,'{"folder": "INBOX", "folders_done": 1, "folders_total": 2, "messages_done": 8, "messages_total": 8, "bytes_done": 10000}','2026-11-29 12:59:43.270207','2026-11-29 12:59:43.362704','one',0,0,'94b6ce6171efbec83bf7c77e643d29dc',NULL,NULL);
INSERT INTO "imports" VALUES(6,'suzgbs2c59py',1,'u3ct2xftb3df',7,'ead608148ee6ce231065838bd4e1bc16','incomplete@old.example','incomplete@old.example','imap.old.example',993,'tls',0,'incomplete@new.example','incomplete@new.example','imap.new.example',993,'tls',0,'2026-11-29 12:59:43.263317','ada@new.example','de','incomplete',NULL,NULL,NULL,NULL,NULL,0,'{"folder": "INBOX", "folders_done": 1, "folders_total": 2, "messages_done": 8, "messages_total": 8, "bytes_done": 10000}','2026-11-29 12:59:43.270207','2026-11-29 12:59:43.393003','one',0,1,'d9cd9a4b6c34a26bf48f61d7f416cc3a',NULL,NULL);
INSERT INTO "imports" VALUES(7,'ryry9qyzk6gx',1,'u3ct2xftb3df',8,'0d054987885c83b471550fcb4bb22397','stopped@old.example','stopped@old.example','imap.old.example',993,'tls',0,'stopped@new.example','stopped@new.example','imap.new.example',993,'tls',0,'2026-11-29 12:59:43.263762','ada@new.example','de','stopped','login_rejected','imap.old.example refused the login.','source','[AUTHENTICATIONFAILED] Authentication failed.',NULL,0,'{"folder": "INBOX", "folders_done": 1, "folders_total": 2, "messages_done": 8, "messages_total": 8, "bytes_done": 10000}','2026-11-29 12:59:43.270207','2026-11-29 12:59:43.404628','one',0,0,'3402923a8a0627636e88467442e3483e',NULL,NULL);
INSERT INTO "imports" VALUES(8,'tg4k4cs53zmz',1,'u3ct2xftb3df',9,'1f7ee1b3cf6aced2ac8aeb28a263d3d8','cancelled@old.example','cancelled@old.example','imap.old.example',993,'tls',0,'cancelled@new.example','cancelled@new.example','imap.new.example',993,'tls',0,'2026-11-29 12:59:43.264175','ada@new.example','de','cancelled',NULL,NULL,NULL,NULL,NULL,0,'{"folder": "INBOX", "folders_done": 1, "folders_total": 2, "messages_done": 8, "messages_total": 8, "bytes_done": 10000}','2026-11-29 12:59:43.270207','2026-11-29 12:59:43.431859','one',0,1,'ece47f4c54aa290c4f3f987eaa60b873','cancel',NULL);
INSERT INTO "imports" VALUES(9,'73ppgkbt94h9',1,'u3ct2xftb3df',10,'3ef13f254aa23f126f0334e917bfc9da','failed@old.example','failed@old.example','imap.old.example',993,'tls',0,'failed@new.example','failed@new.example','imap.new.example',993,'tls',0,'2026-11-29 12:59:43.264598','ada@new.example','de','failed','internal','Something went wrong; the log has the details.',NULL,'',NULL,0,'{"folder": "INBOX", "folders_done": 1, "folders_total": 2, "messages_done": 8, "messages_total": 8, "bytes_done": 10000}','2026-11-29 12:59:43.270207','2026-11-29 12:59:43.458739','one',0,0,'10ec660c47f001bf59f11dc80766b7c0',NULL,NULL);
CREATE TABLE intents (
	route TEXT NOT NULL, 
	destination_key TEXT NOT NULL, 
	slot INTEGER NOT NULL, 
	destination_folder TEXT NOT NULL, 
	destination_uidvalidity BIGINT NOT NULL, 
	uidnext BIGINT NOT NULL, 
	import_id TEXT NOT NULL, 
	source_folder TEXT NOT NULL, 
	source_uidvalidity BIGINT NOT NULL, 
	source_uids TEXT NOT NULL, 
	digests BLOB NOT NULL, 
	sizes_bytes JSON NOT NULL, 
	flags TEXT NOT NULL, 
	sent_at DATETIME NOT NULL, 
	CONSTRAINT intents_pk PRIMARY KEY (route, destination_key, slot)
);
INSERT INTO "intents" VALUES('8a365e9acce1a3b2c056bb76d49727e5','83ecb521bf320f677287e8b923809bb3',0,'INBOX',7,1004,'6f94fqzpjxd2','INBOX',3,'7:8',X'000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F','[10, 20]','','2026-11-29 12:59:43.270207');
CREATE TABLE leases (
	name TEXT NOT NULL, 
	owner TEXT, 
	fence BIGINT NOT NULL, 
	expires_at DATETIME NOT NULL, 
	CONSTRAINT leases_pk PRIMARY KEY (name)
);
INSERT INTO "leases" VALUES('import:57wz7t5myupq',NULL,1,'2026-11-29 13:00:43.270207');
INSERT INTO "leases" VALUES('import:6f94fqzpjxd2','worker-1',1,'2026-11-29 13:00:43.270207');
INSERT INTO "leases" VALUES('import:nd6d3bajghmp',NULL,1,'2026-11-29 13:00:43.270207');
INSERT INTO "leases" VALUES('import:affkwndsk3ds',NULL,1,'2026-11-29 13:00:43.270207');
INSERT INTO "leases" VALUES('import:fu2tmxxrh6m8',NULL,2,'2026-11-29 13:00:43.270207');
INSERT INTO "leases" VALUES('import:suzgbs2c59py',NULL,1,'2026-11-29 13:00:43.270207');
INSERT INTO "leases" VALUES('import:ryry9qyzk6gx',NULL,1,'2026-11-29 13:00:43.270207');
INSERT INTO "leases" VALUES('import:tg4k4cs53zmz',NULL,1,'2026-11-29 13:00:43.270207');
INSERT INTO "leases" VALUES('import:73ppgkbt94h9',NULL,1,'2026-11-29 13:00:43.270207');
CREATE TABLE marks (
	route TEXT NOT NULL, 
	source_key TEXT NOT NULL, 
	source_folder TEXT NOT NULL, 
	import_id TEXT NOT NULL, 
	uidvalidity BIGINT NOT NULL, 
	uidnext BIGINT NOT NULL, 
	messages BIGINT NOT NULL, 
	contents BIGINT NOT NULL, 
	highest_modseq BIGINT NOT NULL, 
	destination_folder TEXT NOT NULL, 
	destination_uidvalidity BIGINT NOT NULL, 
	highest_uid BIGINT NOT NULL, 
	account JSON NOT NULL, 
	CONSTRAINT marks_pk PRIMARY KEY (route, source_key)
);
INSERT INTO "marks" VALUES('8a365e9acce1a3b2c056bb76d49727e5','ab5ee80993a44ac84eb323a5eff40b9f','Entwürfe','6f94fqzpjxd2',3,3,2,0,0,'Drafts',7,1002,'{"found": 2, "copied": 2, "present": 0, "duplicate": 0, "skipped": {}, "failed": 0, "copied_bytes": 4000, "keywords_dropped": 0, "confirmed": 2, "source_recount": 2, "elsewhere": 0, "flags_updated": 0}');
INSERT INTO "marks" VALUES('3759b89bc72f0796ae332c9e8e11b0bb','ab5ee80993a44ac84eb323a5eff40b9f','Entwürfe','nd6d3bajghmp',3,3,2,0,0,'Drafts',7,1002,'{"found": 2, "copied": 2, "present": 0, "duplicate": 0, "skipped": {}, "failed": 0, "copied_bytes": 4000, "keywords_dropped": 0, "confirmed": 2, "source_recount": 2, "elsewhere": 0, "flags_updated": 0}');
INSERT INTO "marks" VALUES('9e21fb8cd92935f92819204b797485e0','ab5ee80993a44ac84eb323a5eff40b9f','Entwürfe','affkwndsk3ds',3,3,2,0,0,'Drafts',7,1002,'{"found": 2, "copied": 2, "present": 0, "duplicate": 0, "skipped": {}, "failed": 0, "copied_bytes": 4000, "keywords_dropped": 0, "confirmed": 2, "source_recount": 2, "elsewhere": 0, "flags_updated": 0}');
INSERT INTO "marks" VALUES('0e98ed0e1d1617cd3f16f3727d0233cf','ab5ee80993a44ac84eb323a5eff40b9f','Entwürfe','fu2tmxxrh6m8',3,3,2,0,0,'Drafts',7,1002,'{"found": 2, "copied": 2, "present": 0, "duplicate": 0, "skipped": {}, "failed": 0, "copied_bytes": 4000, "keywords_dropped": 0, "confirmed": 2, "source_recount": 2, "elsewhere": 0, "flags_updated": 0}');
INSERT INTO "marks" VALUES('ead608148ee6ce231065838bd4e1bc16','ab5ee80993a44ac84eb323a5eff40b9f','Entwürfe','suzgbs2c59py',3,3,2,0,0,'Drafts',7,1002,'{"found": 2, "copied": 2, "present": 0, "duplicate": 0, "skipped": {}, "failed": 0, "copied_bytes": 4000, "keywords_dropped": 0, "confirmed": 2, "source_recount": 2, "elsewhere": 0, "flags_updated": 0}');
INSERT INTO "marks" VALUES('0d054987885c83b471550fcb4bb22397','ab5ee80993a44ac84eb323a5eff40b9f','Entwürfe','ryry9qyzk6gx',3,3,2,0,0,'Drafts',7,1002,'{"found": 2, "copied": 2, "present": 0, "duplicate": 0, "skipped": {}, "failed": 0, "copied_bytes": 4000, "keywords_dropped": 0, "confirmed": 2, "source_recount": 2, "elsewhere": 0, "flags_updated": 0}');
INSERT INTO "marks" VALUES('1f7ee1b3cf6aced2ac8aeb28a263d3d8','ab5ee80993a44ac84eb323a5eff40b9f','Entwürfe','tg4k4cs53zmz',3,3,2,0,0,'Drafts',7,1002,'{"found": 2, "copied": 2, "present": 0, "duplicate": 0, "skipped": {}, "failed": 0, "copied_bytes": 4000, "keywords_dropped": 0, "confirmed": 2, "source_recount": 2, "elsewhere": 0, "flags_updated": 0}');
INSERT INTO "marks" VALUES('3ef13f254aa23f126f0334e917bfc9da','ab5ee80993a44ac84eb323a5eff40b9f','Entwürfe','73ppgkbt94h9',3,3,2,0,0,'Drafts',7,1002,'{"found": 2, "copied": 2, "present": 0, "duplicate": 0, "skipped": {}, "failed": 0, "copied_bytes": 4000, "keywords_dropped": 0, "confirmed": 2, "source_recount": 2, "elsewhere": 0, "flags_updated": 0}');
CREATE TABLE meters (
	name TEXT NOT NULL, 
	hour DATETIME NOT NULL, 
	size_bytes BIGINT NOT NULL, 
	CONSTRAINT meters_pk PRIMARY KEY (name, hour)
);
CREATE TABLE notices (
	seq INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
	recipient TEXT NOT NULL, 
	subject TEXT NOT NULL, 
	text TEXT NOT NULL, 
	html TEXT NOT NULL, 
	message_id TEXT NOT NULL, 
	created_at DATETIME NOT NULL, 
	state TEXT NOT NULL, 
	attempts INTEGER NOT NULL, 
	not_before DATETIME, 
	error TEXT NOT NULL, 
	CONSTRAINT notices_pk PRIMARY KEY (seq), 
	CONSTRAINT notices_key_key UNIQUE ("key")
);
INSERT INTO "notices" VALUES(1,'note:1','ada@new.example','Angekommen ✓','Alles da.
','<p>Alles da.</p>','<n1@new.example>','2026-11-29 12:59:43.270207','pending',0,NULL,'');
CREATE TABLE receipts (
	seq INTEGER NOT NULL, 
	route TEXT NOT NULL, 
	destination_key TEXT NOT NULL, 
	destination_folder TEXT NOT NULL, 
	destination_uidvalidity BIGINT NOT NULL, 
	destination_uids TEXT NOT NULL, 
	import_id TEXT NOT NULL, 
	source_folder TEXT NOT NULL, 
	source_uidvalidity BIGINT NOT NULL, 
	source_uids TEXT NOT NULL, 
	outcome TEXT NOT NULL, 
	digests BLOB NOT NULL, 
	size_bytes BIGINT NOT NULL, 
	reason TEXT NOT NULL, 
	keywords_dropped BIGINT NOT NULL, 
	flags TEXT NOT NULL, 
	undoing TEXT NOT NULL, 
	undone BOOLEAN NOT NULL, 
	CONSTRAINT receipts_pk PRIMARY KEY (seq)
);
INSERT INTO "receipts" VALUES(1,'8a365e9acce1a3b2c056bb76d49727e5','83ecb521bf320f677287e8b923809bb3','INBOX',7,'1001:1003','6f94fqzpjxd2','INBOX',3,'1:3','copied',X'6B86B273FF34FCE19D6B804EFF5A3F57D4735E3A265E16EEE03F59718B9B5D034E07408562BEDB8B60CE05C1DECFE3AD',6000,'',0,'3 \\Seen','',0);
INSERT INTO "receipts" VALUES(2,'8a365e9acce1a3b2c056bb76d49727e5','83ecb521bf320f677287e8b923809bb3','INBOX',7,'','6f94fqzpjxd2','INBOX',3,'4','present',X'4B227777D4DD1FC61C6F884F48641D02',2000,'',0,'','',0);
INSERT INTO "receipts" VALUES(3,'8a365e9acce1a3b2c056bb76d49727e5','83ecb521bf320f677287e8b923809bb3','INBOX',7,'','6f94fqzpjxd2','INBOX',3,'5','duplicate',X'EF2D127DE37B942BAAD06145E54B0C61',2000,'',0,'','',0);
INSERT INTO "receipts" VALUES(4,'8a365e9acce1a3b2c056bb76d49727e5','f592e6a4db3c6638e1c6ce47797d4919','Drafts',7,'1001:1002','6f94fqzpjxd2','Entwürfe',3,'1:2','copied',X'6B86B273FF34FCE19D6B804EFF5A3F57D4735E3A265E16EEE03F59718B9B5D03',4000,'',0,'2 \\Draft','',0);
INSERT INTO "receipts" VALUES(5,'3759b89bc72f0796ae332c9e8e11b0bb','83ecb521bf320f677287e8b923809bb3','INBOX',7,'1001:1003','nd6d3bajghmp','INBOX',3,'1:3','copied',X'6B86B273FF34FCE19D6B804EFF5A3F57D4735E3A265E16EEE03F59718B9B5D034E07408562BEDB8B60CE05C1DECFE3AD',6000,'',0,'3 \\Seen','',0);
INSERT INTO "receipts" VALUES(6,'3759b89bc72f0796ae332c9e8e11b0bb','83ecb521bf320f677287e8b923809bb3','INBOX',7,'','nd6d3bajghmp','INBOX',3,'4','present',X'4B227777D4DD1FC61C6F884F48641D02',2000,'',0,'','',0);
INSERT INTO "receipts" VALUES(7,'3759b89bc72f0796ae332c9e8e11b0bb','83ecb521bf320f677287e8b923809bb3','INBOX',7,'','nd6d3bajghmp','INBOX',3,'5','duplicate',X'EF2D127DE37B942BAAD06145E54B0C61',2000,'',0,'','',0);
INSERT INTO "receipts" VALUES(8,'3759b89bc72f0796ae332c9e8e11b0bb','f592e6a4db3c6638e1c6ce47797d4919','Drafts',7,'1001:1002','nd6d3bajghmp','Entwürfe',3,'1:2','copied',X'6B86B273FF34FCE19D6B804EFF5A3F57D4735E3A265E16EEE03F59718B9B5D03',4000,'',0,'2 \\Draft','',0);
INSERT INTO "receipts" VALUES(9,'9e21fb8cd92935f92819204b797485e0','83ecb521bf320f677287e8b923809bb3','INBOX',7,'1001:1003','affkwndsk3ds','INBOX',3,'1:3','copied',X'6B86B273FF34FCE19D6B804EFF5A3F57D4735E3A265E16EEE03F59718B9B5D034E07408562BEDB8B60CE05C1DECFE3AD',6000,'',0,'3 \\Seen','',0);
INSERT INTO "receipts" VALUES(10,'9e21fb8cd92935f92819204b797485e0','83ecb521bf320f677287e8b923809bb3','INBOX',7,'','affkwndsk3ds','INBOX',3,'4','present',X'4B227777D4DD1FC61C6F884F48641D02',2000,'',0,'','',0);
INSERT INTO "receipts" VALUES(11,'9e21fb8cd92935f92819204b797485e0','83ecb521bf320f677287e8b923809bb3','INBOX',7,'','affkwndsk3ds','INBOX',3,'5','duplicate',X'EF2D127DE37B942BAAD06145E54B0C61',2000,'',0,'','',0);
INSERT INTO "receipts" VALUES(12,'9e21fb8cd92935f92819204b797485e0','f592e6a4db3c6638e1c6ce47797d4919','Drafts',7,'1001:1002','affkwndsk3ds','Entwürfe',3,'1:2','copied',X'6B86B273FF34FCE19D6B804EFF5A3F57D4735E3A265E16EEE03F59718B9B5D03',4000,'',0,'2 \\Draft','',0);
INSERT INTO "receipts" VALUES(13,'0e98ed0e1d1617cd3f16f3727d0233cf','83ecb521bf320f677287e8b923809bb3','INBOX',7,'1001:1003','fu2tmxxrh6m8','INBOX',3,'1:3','copied',X'6B86B273FF34FCE19D6B804EFF5A3F57D4735E3A265E16EEE03F59718B9B5D034E07408562BEDB8B60CE05C1DECFE3AD',6000,'',0,'3 \\Seen','',0);
INSERT INTO "receipts" VALUES(14,'0e98ed0e1d1617cd3f16f3727d0233cf','83ecb521bf320f677287e8b923809bb3','INBOX',7,'','fu2tmxxrh6m8','INBOX',3,'4','present',X'4B227777D4DD1FC61C6F884F48641D02',2000,'',0,'','',0);
INSERT INTO "receipts" VALUES(15,'0e98ed0e1d1617cd3f16f3727d0233cf','83ecb521bf320f677287e8b923809bb3','INBOX',7,'','fu2tmxxrh6m8','INBOX',3,'5','duplicate',X'EF2D127DE37B942BAAD06145E54B0C61',2000,'',0,'','',0);
INSERT INTO "receipts" VALUES(16,'0e98ed0e1d1617cd3f16f3727d0233cf','f592e6a4db3c6638e1c6ce47797d4919','Drafts',7,'1001:1002','fu2tmxxrh6m8','Entwürfe',3,'1:2','copied',X'6B86B273FF34FCE19D6B804EFF5A3F57D4735E3A265E16EEE03F59718B9B5D03',4000,'',0,'2 \\Draft','',0);
INSERT INTO "receipts" VALUES(17,'ead608148ee6ce231065838bd4e1bc16','83ecb521bf320f677287e8b923809bb3','INBOX',7,'1001:1003','suzgbs2c59py','INBOX',3,'1:3','copied',X'6B86B273FF34FCE19D6B804EFF5A3F57D4735E3A265E16EEE03F59718B9B5D034E07408562BEDB8B60CE05C1DECFE3AD',6000,'',0,'3 \\Seen','',0);
INSERT INTO "receipts" VALUES(18,'ead608148ee6ce231065838bd4e1bc16','83ecb521bf320f677287e8b923809bb3','INBOX',7,'','suzgbs2c59py','INBOX',3,'4','present',X'4B227777D4DD1FC61C6F884F48641D02',2000,'',0,'','',0);
INSERT INTO "receipts" VALUES(19,'ead608148ee6ce231065838bd4e1bc16','83ecb521bf320f677287e8b923809bb3','INBOX',7,'','suzgbs2c59py','INBOX',3,'5','duplicate',X'EF2D127DE37B942BAAD06145E54B0C61',2000,'',0,'','',0);
INSERT INTO "receipts" VALUES(20,'ead608148ee6ce231065838bd4e1bc16','f592e6a4db3c6638e1c6ce47797d4919','Drafts',7,'1001:1002','suzgbs2c59py','Entwürfe',3,'1:2','copied',X'6B86B273FF34FCE19D6B804EFF5A3F57D4735E3A265E16EEE03F59718B9B5D03',4000,'',0,'2 \\Draft','',0);
INSERT INTO "receipts" VALUES(21,'0d054987885c83b471550fcb4bb22397','83ecb521bf320f677287e8b923809bb3','INBOX',7,'1001:1003','ryry9qyzk6gx','INBOX',3,'1:3','copied',X'6B86B273FF34FCE19D6B804EFF5A3F57D4735E3A265E16EEE03F59718B9B5D034E07408562BEDB8B60CE05C1DECFE3AD',6000,'',0,'3 \\Seen','',0);
INSERT INTO "receipts" VALUES(22,'0d054987885c83b471550fcb4bb22397','83ecb521bf320f677287e8b923809bb3','INBOX',7,'','ryry9qyzk6gx','INBOX',3,'4','present',X'4B227777D4DD1FC61C6F884F48641D02',2000,'',0,'','',0);
INSERT INTO "receipts" VALUES(23,'0d054987885c83b471550fcb4bb22397','83ecb521bf320f677287e8b923809bb3','INBOX',7,'','ryry9qyzk6gx','INBOX',3,'5','duplicate',X'EF2D127DE37B942BAAD06145E54B0C61',2000,'',0,'','',0);
INSERT INTO "receipts" VALUES(24,'0d054987885c83b471550fcb4bb22397','f592e6a4db3c6638e1c6ce47797d4919','Drafts',7,'1001:1002','ryry9qyzk6gx','Entwürfe',3,'1:2','copied',X'6B86B273FF34FCE19D6B804EFF5A3F57D4735E3A265E16EEE03F59718B9B5D03',4000,'',0,'2 \\Draft','',0);
INSERT INTO "receipts" VALUES(25,'1f7ee1b3cf6aced2ac8aeb28a263d3d8','83ecb521bf320f677287e8b923809bb3','INBOX',7,'1001:1003','tg4k4cs53zmz','INBOX',3,'1:3','copied',X'6B86B273FF34FCE19D6B804EFF5A3F57D4735E3A265E16EEE03F59718B9B5D034E07408562BEDB8B60CE05C1DECFE3AD',6000,'',0,'3 \\Seen','',0);
INSERT INTO "receipts" VALUES(26,'1f7ee1b3cf6aced2ac8aeb28a263d3d8','83ecb521bf320f677287e8b923809bb3','INBOX',7,'','tg4k4cs53zmz','INBOX',3,'4','present',X'4B227777D4DD1FC61C6F884F48641D02',2000,'',0,'','',0);
INSERT INTO "receipts" VALUES(27,'1f7ee1b3cf6aced2ac8aeb28a263d3d8','83ecb521bf320f677287e8b923809bb3','INBOX',7,'','tg4k4cs53zmz','INBOX',3,'5','duplicate',X'EF2D127DE37B942BAAD06145E54B0C61',2000,'',0,'','',0);
INSERT INTO "receipts" VALUES(28,'1f7ee1b3cf6aced2ac8aeb28a263d3d8','f592e6a4db3c6638e1c6ce47797d4919','Drafts',7,'1001:1002','tg4k4cs53zmz','Entwürfe',3,'1:2','copied',X'6B86B273FF34FCE19D6B804EFF5A3F57D4735E3A265E16EEE03F59718B9B5D03',4000,'',0,'2 \\Draft','',0);
INSERT INTO "receipts" VALUES(29,'3ef13f254aa23f126f0334e917bfc9da','83ecb521bf320f677287e8b923809bb3','INBOX',7,'1001:1003','73ppgkbt94h9','INBOX',3,'1:3','copied',X'6B86B273FF34FCE19D6B804EFF5A3F57D4735E3A265E16EEE03F59718B9B5D034E07408562BEDB8B60CE05C1DECFE3AD',6000,'',0,'3 \\Seen','',0);
INSERT INTO "receipts" VALUES(30,'3ef13f254aa23f126f0334e917bfc9da','83ecb521bf320f677287e8b923809bb3','INBOX',7,'','73ppgkbt94h9','INBOX',3,'4','present',X'4B227777D4DD1FC61C6F884F48641D02',2000,'',0,'','',0);
INSERT INTO "receipts" VALUES(31,'3ef13f254aa23f126f0334e917bfc9da','83ecb521bf320f677287e8b923809bb3','INBOX',7,'','73ppgkbt94h9','INBOX',3,'5','duplicate',X'EF2D127DE37B942BAAD06145E54B0C61',2000,'',0,'','',0);
INSERT INTO "receipts" VALUES(32,'3ef13f254aa23f126f0334e917bfc9da','f592e6a4db3c6638e1c6ce47797d4919','Drafts',7,'1001:1002','73ppgkbt94h9','Entwürfe',3,'1:2','copied',X'6B86B273FF34FCE19D6B804EFF5A3F57D4735E3A265E16EEE03F59718B9B5D03',4000,'',0,'2 \\Draft','',0);
CREATE TABLE refusals (
	seq INTEGER NOT NULL, 
	import_id TEXT NOT NULL, 
	folder TEXT NOT NULL, 
	uidvalidity BIGINT NOT NULL, 
	uid BIGINT, 
	reason TEXT NOT NULL, 
	date TEXT NOT NULL, 
	subject TEXT NOT NULL, 
	size_bytes BIGINT NOT NULL, 
	count BIGINT NOT NULL, 
	partly BOOLEAN NOT NULL, 
	code TEXT NOT NULL, 
	CONSTRAINT refusals_pk PRIMARY KEY (seq)
);
INSERT INTO "refusals" VALUES(1,'6f94fqzpjxd2','INBOX',3,6,'It is larger than the new mailbox takes.','2024-02-29','Grüße ✓',300000000,1,0,'too_large');
INSERT INTO "refusals" VALUES(2,'nd6d3bajghmp','INBOX',3,6,'It is larger than the new mailbox takes.','2024-02-29','Grüße ✓',300000000,1,0,'too_large');
INSERT INTO "refusals" VALUES(3,'affkwndsk3ds','INBOX',3,6,'It is larger than the new mailbox takes.','2024-02-29','Grüße ✓',300000000,1,0,'too_large');
INSERT INTO "refusals" VALUES(4,'fu2tmxxrh6m8','INBOX',3,6,'It is larger than the new mailbox takes.','2024-02-29','Grüße ✓',300000000,1,0,'too_large');
INSERT INTO "refusals" VALUES(5,'suzgbs2c59py','INBOX',3,6,'It is larger than the new mailbox takes.','2024-02-29','Grüße ✓',300000000,1,0,'too_large');
INSERT INTO "refusals" VALUES(6,'ryry9qyzk6gx','INBOX',3,6,'It is larger than the new mailbox takes.','2024-02-29','Grüße ✓',300000000,1,0,'too_large');
INSERT INTO "refusals" VALUES(7,'tg4k4cs53zmz','INBOX',3,6,'It is larger than the new mailbox takes.','2024-02-29','Grüße ✓',300000000,1,0,'too_large');
INSERT INTO "refusals" VALUES(8,'73ppgkbt94h9','INBOX',3,6,'It is larger than the new mailbox takes.','2024-02-29','Grüße ✓',300000000,1,0,'too_large');
CREATE TABLE routes (
	route TEXT NOT NULL, 
	mailbox_epoch BIGINT NOT NULL, 
	CONSTRAINT routes_pk PRIMARY KEY (route)
);
INSERT INTO "routes" VALUES('8a365e9acce1a3b2c056bb76d49727e5',5);
INSERT INTO "routes" VALUES('3759b89bc72f0796ae332c9e8e11b0bb',5);
INSERT INTO "routes" VALUES('9e21fb8cd92935f92819204b797485e0',5);
INSERT INTO "routes" VALUES('0e98ed0e1d1617cd3f16f3727d0233cf',5);
INSERT INTO "routes" VALUES('ead608148ee6ce231065838bd4e1bc16',5);
INSERT INTO "routes" VALUES('0d054987885c83b471550fcb4bb22397',5);
INSERT INTO "routes" VALUES('1f7ee1b3cf6aced2ac8aeb28a263d3d8',5);
INSERT INTO "routes" VALUES('3ef13f254aa23f126f0334e917bfc9da',5);
CREATE TABLE slots (
	name TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	holder TEXT NOT NULL, 
	expires_at DATETIME NOT NULL, 
	CONSTRAINT slots_pk PRIMARY KEY (name, number)
);
CREATE TABLE tokens (
	seq INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	scopes JSON NOT NULL, 
	created_at DATETIME NOT NULL, 
	expires_at DATETIME, 
	revoked_at DATETIME, 
	domains JSON NOT NULL, 
	webhook_url TEXT NOT NULL, 
	webhook_secret BLOB NOT NULL, 
	CONSTRAINT tokens_pk PRIMARY KEY (seq), 
	CONSTRAINT tokens_id_key UNIQUE (id), 
	CONSTRAINT tokens_digest_key UNIQUE (digest)
);
INSERT INTO "tokens" VALUES(1,'bysynzw7d9yc','panel','5b41782d7841ae480c3a956dbe757533a8a8b3cf4a0183b566c0fdcca0e05c52','["read", "write"]','2026-11-29 12:59:43.466528','2036-11-26 12:59:43.466528',NULL,'["new.example"]','',X'');
CREATE TABLE undos (
	import_id TEXT NOT NULL, 
	at DATETIME NOT NULL, 
	folders JSON NOT NULL, 
	folders_removed JSON NOT NULL, 
	folders_kept JSON NOT NULL, 
	doubtful BIGINT NOT NULL, 
	CONSTRAINT undos_pk PRIMARY KEY (import_id)
);
INSERT INTO "undos" VALUES('fu2tmxxrh6m8','2026-11-29 12:59:43.270207','[{"folder": "INBOX", "added": 3, "removed": 2, "touched": 1, "altered": 0, "gone": 0, "unidentified": 0}, {"folder": "Drafts", "added": 2, "removed": 2, "touched": 0, "altered": 0, "gone": 0, "unidentified": 0}]','[]','[]',0);
CREATE TABLE visits (
	id TEXT NOT NULL, 
	person TEXT NOT NULL, 
	created_at DATETIME NOT NULL, 
	expires_at DATETIME NOT NULL, 
	sealed BLOB NOT NULL, 
	CONSTRAINT visits_pk PRIMARY KEY (id)
);
INSERT INTO "visits" VALUES('9043b2280751836f2e1d6e93005bcd089b1995b96d381556c8c6cd412449ae02','mailbox:ada@new.example imap.new.example','2026-11-29 12:59:43.467756','2026-11-30 00:59:43.467756',X'67414141414142724443475F2D6D6D7A416343517062703131505F6B713566384A4435755F30624534385F3333314D48772D365A51642D4A4F3042347972314E64643168393731546F514E533251357A6A50376F6651315959686541685F496F674130554B6344587433577831373474544B61716177387874416142376F7664465976384B47686E3567535177465A684F513879785153717475694449386A75797236764954484552326F4A63776275365577576E7A7971516C4971765A49793769436C536F595251456E67434A697A61794946316B33734D70666F50785077764E58315074625A622D52794A64463332587A717A537A5A43314938425872435968756B336844446763517A5334754131774B5133364D715665472D794B474739665A39507130516753666658464C7065777357423355704B5F4E5765454F773353534232346562717859624348367366433375624D2D5278654A6B484F6C5258674F6D55526573574C4B495478685F735A586B4135453D');
CREATE INDEX batches_owner_created_at_ix ON batches (owner, created_at);
CREATE INDEX batches_created_at_ix ON batches (created_at);
CREATE INDEX receipts_route_destination_key_seq_ix ON receipts (route, destination_key, seq);
CREATE INDEX refusals_import_id_seq_ix ON refusals (import_id, seq);
CREATE INDEX notices_state_created_at_ix ON notices (state, created_at);
CREATE INDEX slots_holder_ix ON slots (holder);
CREATE INDEX visits_expires_at_ix ON visits (expires_at);
CREATE INDEX counts_expires_at_ix ON counts (expires_at);
CREATE INDEX answers_expires_at_ix ON answers (expires_at);
CREATE INDEX calls_state_not_before_ix ON calls (state, not_before);
CREATE INDEX calls_created_at_ix ON calls (created_at);
CREATE INDEX imports_created_at_ix ON imports (created_at);
CREATE INDEX imports_batch_id_ix ON imports (batch_id);
CREATE INDEX imports_state_created_at_ix ON imports (state, created_at);
CREATE INDEX imports_route_created_at_ix ON imports (route, created_at);
CREATE INDEX consents_state_hash_ix ON consents (state_hash);
COMMIT;
