
SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

SET default_tablespace = '';

SET default_table_access_method = heap;

CREATE TABLE public.accounts (
    seq bigint NOT NULL,
    import_id text NOT NULL,
    source_key text NOT NULL,
    source_folder text NOT NULL,
    destination_folder text NOT NULL,
    found bigint NOT NULL,
    copied bigint NOT NULL,
    present bigint NOT NULL,
    duplicate bigint NOT NULL,
    skipped json NOT NULL,
    failed bigint NOT NULL,
    copied_bytes bigint NOT NULL,
    keywords_dropped bigint NOT NULL,
    confirmed bigint,
    source_recount bigint,
    elsewhere bigint NOT NULL,
    flags_updated bigint NOT NULL
);

CREATE SEQUENCE public.accounts_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.accounts_seq_seq OWNED BY public.accounts.seq;

CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);

CREATE TABLE public.answers (
    token_id text NOT NULL,
    key text NOT NULL,
    fingerprint text NOT NULL,
    status integer,
    sealed bytea NOT NULL,
    expires_at timestamp with time zone NOT NULL
);

CREATE TABLE public.backoffs (
    name text NOT NULL,
    until timestamp with time zone NOT NULL,
    code text NOT NULL,
    message text NOT NULL,
    server_text text NOT NULL
);

CREATE TABLE public.batches (
    seq bigint NOT NULL,
    id text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    name text NOT NULL,
    submitter text NOT NULL,
    language text NOT NULL,
    imports json NOT NULL,
    owner text NOT NULL
);

CREATE SEQUENCE public.batches_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.batches_seq_seq OWNED BY public.batches.seq;

CREATE TABLE public.calls (
    seq bigint NOT NULL,
    key text NOT NULL,
    hook text NOT NULL,
    event_id text NOT NULL,
    body text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    state text NOT NULL,
    attempts integer NOT NULL,
    not_before timestamp with time zone,
    error text NOT NULL
);

CREATE SEQUENCE public.calls_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.calls_seq_seq OWNED BY public.calls.seq;

CREATE TABLE public.consents (
    import_id text NOT NULL,
    side text NOT NULL,
    token_hash text NOT NULL,
    token bytea NOT NULL,
    asked_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    state_hash text NOT NULL,
    question bytea NOT NULL
);

CREATE TABLE public.counts (
    key text NOT NULL,
    number integer NOT NULL,
    expires_at timestamp with time zone NOT NULL
);

CREATE TABLE public.created_folders (
    seq bigint NOT NULL,
    import_id text NOT NULL,
    folder_key text NOT NULL,
    folder text NOT NULL
);

CREATE SEQUENCE public.created_folders_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.created_folders_seq_seq OWNED BY public.created_folders.seq;

CREATE TABLE public.folder_maps (
    route text NOT NULL,
    source_key text NOT NULL,
    source_folder text NOT NULL,
    destination_folder text NOT NULL
);

CREATE TABLE public.grants (
    import_id text NOT NULL,
    source bytea NOT NULL,
    destination bytea NOT NULL
);

CREATE TABLE public.imports (
    seq bigint NOT NULL,
    id text NOT NULL,
    submission bigint NOT NULL,
    batch_id text,
    "row" integer NOT NULL,
    route text NOT NULL,
    source_address text NOT NULL,
    source_login text NOT NULL,
    source_host text NOT NULL,
    source_port integer NOT NULL,
    source_security text NOT NULL,
    source_guarded boolean NOT NULL,
    destination_address text NOT NULL,
    destination_login text NOT NULL,
    destination_host text NOT NULL,
    destination_port integer NOT NULL,
    destination_security text NOT NULL,
    destination_guarded boolean NOT NULL,
    created_at timestamp with time zone NOT NULL,
    submitter text NOT NULL,
    language text NOT NULL,
    state text NOT NULL,
    problem_code text,
    problem_message text,
    problem_side text,
    problem_server_text text,
    not_before timestamp with time zone,
    attempts integer NOT NULL,
    progress json NOT NULL,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    labels text NOT NULL,
    has_labels boolean NOT NULL,
    sync_flags boolean NOT NULL,
    password_mark text NOT NULL,
    wish text,
    held_up_since timestamp with time zone
);

CREATE SEQUENCE public.imports_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.imports_seq_seq OWNED BY public.imports.seq;

CREATE TABLE public.intents (
    route text NOT NULL,
    destination_key text NOT NULL,
    slot integer NOT NULL,
    destination_folder text NOT NULL,
    destination_uidvalidity bigint NOT NULL,
    uidnext bigint NOT NULL,
    import_id text NOT NULL,
    source_folder text NOT NULL,
    source_uidvalidity bigint NOT NULL,
    source_uids text NOT NULL,
    digests bytea NOT NULL,
    sizes_bytes json NOT NULL,
    flags text NOT NULL,
    sent_at timestamp with time zone NOT NULL
);

CREATE TABLE public.leases (
    name text NOT NULL,
    owner text,
    fence bigint NOT NULL,
    expires_at timestamp with time zone NOT NULL
);

CREATE TABLE public.marks (
    route text NOT NULL,
    source_key text NOT NULL,
    source_folder text NOT NULL,
    import_id text NOT NULL,
    uidvalidity bigint NOT NULL,
    uidnext bigint NOT NULL,
    messages bigint NOT NULL,
    contents bigint NOT NULL,
    highest_modseq bigint NOT NULL,
    destination_folder text NOT NULL,
    destination_uidvalidity bigint NOT NULL,
    highest_uid bigint NOT NULL,
    account json NOT NULL
);

CREATE TABLE public.meters (
    name text NOT NULL,
    hour timestamp with time zone NOT NULL,
    size_bytes bigint NOT NULL
);

CREATE TABLE public.notices (
    seq bigint NOT NULL,
    key text NOT NULL,
    recipient text NOT NULL,
    subject text NOT NULL,
    text text NOT NULL,
    html text NOT NULL,
    message_id text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    state text NOT NULL,
    attempts integer NOT NULL,
    not_before timestamp with time zone,
    error text NOT NULL
);

CREATE SEQUENCE public.notices_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.notices_seq_seq OWNED BY public.notices.seq;

CREATE TABLE public.receipts (
    seq bigint NOT NULL,
    route text NOT NULL,
    destination_key text NOT NULL,
    destination_folder text NOT NULL,
    destination_uidvalidity bigint NOT NULL,
    destination_uids text NOT NULL,
    import_id text NOT NULL,
    source_folder text NOT NULL,
    source_uidvalidity bigint NOT NULL,
    source_uids text NOT NULL,
    outcome text NOT NULL,
    digests bytea NOT NULL,
    size_bytes bigint NOT NULL,
    reason text NOT NULL,
    keywords_dropped bigint NOT NULL,
    flags text NOT NULL,
    undoing text NOT NULL,
    undone boolean NOT NULL
);

CREATE SEQUENCE public.receipts_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.receipts_seq_seq OWNED BY public.receipts.seq;

CREATE TABLE public.refusals (
    seq bigint NOT NULL,
    import_id text NOT NULL,
    folder text NOT NULL,
    uidvalidity bigint NOT NULL,
    uid bigint,
    reason text NOT NULL,
    date text NOT NULL,
    subject text NOT NULL,
    size_bytes bigint NOT NULL,
    count bigint NOT NULL,
    partly boolean NOT NULL,
    code text NOT NULL
);

CREATE SEQUENCE public.refusals_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.refusals_seq_seq OWNED BY public.refusals.seq;

CREATE TABLE public.routes (
    route text NOT NULL,
    mailbox_epoch bigint NOT NULL
);

CREATE TABLE public.slots (
    name text NOT NULL,
    number integer NOT NULL,
    holder text NOT NULL,
    expires_at timestamp with time zone NOT NULL
);

CREATE TABLE public.tokens (
    seq bigint NOT NULL,
    id text NOT NULL,
    name text NOT NULL,
    digest text NOT NULL,
    scopes json NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    domains json NOT NULL,
    webhook_url text NOT NULL,
    webhook_secret bytea NOT NULL
);

CREATE SEQUENCE public.tokens_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.tokens_seq_seq OWNED BY public.tokens.seq;

CREATE TABLE public.undos (
    import_id text NOT NULL,
    at timestamp with time zone NOT NULL,
    folders json NOT NULL,
    folders_removed json NOT NULL,
    folders_kept json NOT NULL,
    doubtful bigint NOT NULL
);

CREATE TABLE public.visits (
    id text NOT NULL,
    person text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    sealed bytea NOT NULL
);

ALTER TABLE ONLY public.accounts ALTER COLUMN seq SET DEFAULT nextval('public.accounts_seq_seq'::regclass);

ALTER TABLE ONLY public.batches ALTER COLUMN seq SET DEFAULT nextval('public.batches_seq_seq'::regclass);

ALTER TABLE ONLY public.calls ALTER COLUMN seq SET DEFAULT nextval('public.calls_seq_seq'::regclass);

ALTER TABLE ONLY public.created_folders ALTER COLUMN seq SET DEFAULT nextval('public.created_folders_seq_seq'::regclass);

ALTER TABLE ONLY public.imports ALTER COLUMN seq SET DEFAULT nextval('public.imports_seq_seq'::regclass);

ALTER TABLE ONLY public.notices ALTER COLUMN seq SET DEFAULT nextval('public.notices_seq_seq'::regclass);

ALTER TABLE ONLY public.receipts ALTER COLUMN seq SET DEFAULT nextval('public.receipts_seq_seq'::regclass);

ALTER TABLE ONLY public.refusals ALTER COLUMN seq SET DEFAULT nextval('public.refusals_seq_seq'::regclass);

ALTER TABLE ONLY public.tokens ALTER COLUMN seq SET DEFAULT nextval('public.tokens_seq_seq'::regclass);

INSERT INTO public.accounts VALUES (1, '6e3dv3mhyqgq', '83ecb521bf320f677287e8b923809bb3', 'INBOX', 'INBOX', 6, 3, 1, 1, '{}', 1, 6000, 0, 3, 6, 0, 0);
INSERT INTO public.accounts VALUES (2, '6e3dv3mhyqgq', 'ab5ee80993a44ac84eb323a5eff40b9f', 'Entwürfe', 'Drafts', 2, 2, 0, 0, '{}', 0, 4000, 0, 2, 2, 0, 0);
INSERT INTO public.accounts VALUES (3, 'nkksvzqgzjjk', '83ecb521bf320f677287e8b923809bb3', 'INBOX', 'INBOX', 6, 3, 1, 1, '{}', 1, 6000, 0, 3, 6, 0, 0);
INSERT INTO public.accounts VALUES (4, 'nkksvzqgzjjk', 'ab5ee80993a44ac84eb323a5eff40b9f', 'Entwürfe', 'Drafts', 2, 2, 0, 0, '{}', 0, 4000, 0, 2, 2, 0, 0);
INSERT INTO public.accounts VALUES (5, 'nte6k5yp6t26', '83ecb521bf320f677287e8b923809bb3', 'INBOX', 'INBOX', 6, 3, 1, 1, '{}', 1, 6000, 0, 3, 6, 0, 0);
INSERT INTO public.accounts VALUES (6, 'nte6k5yp6t26', 'ab5ee80993a44ac84eb323a5eff40b9f', 'Entwürfe', 'Drafts', 2, 2, 0, 0, '{}', 0, 4000, 0, 2, 2, 0, 0);
INSERT INTO public.accounts VALUES (7, 'g4n3hczmpcgn', '83ecb521bf320f677287e8b923809bb3', 'INBOX', 'INBOX', 6, 3, 1, 1, '{}', 1, 6000, 0, 3, 6, 0, 0);
INSERT INTO public.accounts VALUES (8, 'g4n3hczmpcgn', 'ab5ee80993a44ac84eb323a5eff40b9f', 'Entwürfe', 'Drafts', 2, 2, 0, 0, '{}', 0, 4000, 0, 2, 2, 0, 0);
INSERT INTO public.accounts VALUES (9, 'crcrsz2xsm6q', '83ecb521bf320f677287e8b923809bb3', 'INBOX', 'INBOX', 6, 3, 1, 1, '{}', 1, 6000, 0, 3, 6, 0, 0);
INSERT INTO public.accounts VALUES (10, 'crcrsz2xsm6q', 'ab5ee80993a44ac84eb323a5eff40b9f', 'Entwürfe', 'Drafts', 2, 2, 0, 0, '{}', 0, 4000, 0, 2, 2, 0, 0);
INSERT INTO public.accounts VALUES (11, '92hs4zgrsw63', '83ecb521bf320f677287e8b923809bb3', 'INBOX', 'INBOX', 6, 3, 1, 1, '{}', 1, 6000, 0, 3, 6, 0, 0);
INSERT INTO public.accounts VALUES (12, '92hs4zgrsw63', 'ab5ee80993a44ac84eb323a5eff40b9f', 'Entwürfe', 'Drafts', 2, 2, 0, 0, '{}', 0, 4000, 0, 2, 2, 0, 0);
INSERT INTO public.accounts VALUES (13, '5u4rnfbdz5v9', '83ecb521bf320f677287e8b923809bb3', 'INBOX', 'INBOX', 6, 3, 1, 1, '{}', 1, 6000, 0, 3, 6, 0, 0);
INSERT INTO public.accounts VALUES (14, '5u4rnfbdz5v9', 'ab5ee80993a44ac84eb323a5eff40b9f', 'Entwürfe', 'Drafts', 2, 2, 0, 0, '{}', 0, 4000, 0, 2, 2, 0, 0);
INSERT INTO public.accounts VALUES (15, 'rq4cw9kp69sc', '83ecb521bf320f677287e8b923809bb3', 'INBOX', 'INBOX', 6, 3, 1, 1, '{}', 1, 6000, 0, 3, 6, 0, 0);
INSERT INTO public.accounts VALUES (16, 'rq4cw9kp69sc', 'ab5ee80993a44ac84eb323a5eff40b9f', 'Entwürfe', 'Drafts', 2, 2, 0, 0, '{}', 0, 4000, 0, 2, 2, 0, 0);

INSERT INTO public.alembic_version VALUES ('0001');

INSERT INTO public.batches VALUES (1, 'wxv83asm6cys', '2026-11-30 02:44:45.442985+13:45', 'people.csv', 'ada@new.example', 'de', '["4k4sdvzt5mxp", "6e3dv3mhyqgq", "nkksvzqgzjjk", "nte6k5yp6t26", "g4n3hczmpcgn", "crcrsz2xsm6q", "92hs4zgrsw63", "5u4rnfbdz5v9", "rq4cw9kp69sc"]', 'mailbox:ada@new.example imap.new.example');

INSERT INTO public.counts VALUES ('login:client:192.0.2.1', 1, '2026-11-30 02:59:45.451398+13:45');

INSERT INTO public.folder_maps VALUES ('8a365e9acce1a3b2c056bb76d49727e5', '83ecb521bf320f677287e8b923809bb3', 'INBOX', 'INBOX');
INSERT INTO public.folder_maps VALUES ('8a365e9acce1a3b2c056bb76d49727e5', 'ab5ee80993a44ac84eb323a5eff40b9f', 'Entwürfe', 'Drafts');
INSERT INTO public.folder_maps VALUES ('3759b89bc72f0796ae332c9e8e11b0bb', '83ecb521bf320f677287e8b923809bb3', 'INBOX', 'INBOX');
INSERT INTO public.folder_maps VALUES ('3759b89bc72f0796ae332c9e8e11b0bb', 'ab5ee80993a44ac84eb323a5eff40b9f', 'Entwürfe', 'Drafts');
INSERT INTO public.folder_maps VALUES ('9e21fb8cd92935f92819204b797485e0', '83ecb521bf320f677287e8b923809bb3', 'INBOX', 'INBOX');
INSERT INTO public.folder_maps VALUES ('9e21fb8cd92935f92819204b797485e0', 'ab5ee80993a44ac84eb323a5eff40b9f', 'Entwürfe', 'Drafts');
INSERT INTO public.folder_maps VALUES ('0e98ed0e1d1617cd3f16f3727d0233cf', '83ecb521bf320f677287e8b923809bb3', 'INBOX', 'INBOX');
INSERT INTO public.folder_maps VALUES ('0e98ed0e1d1617cd3f16f3727d0233cf', 'ab5ee80993a44ac84eb323a5eff40b9f', 'Entwürfe', 'Drafts');
INSERT INTO public.folder_maps VALUES ('ead608148ee6ce231065838bd4e1bc16', '83ecb521bf320f677287e8b923809bb3', 'INBOX', 'INBOX');
INSERT INTO public.folder_maps VALUES ('ead608148ee6ce231065838bd4e1bc16', 'ab5ee80993a44ac84eb323a5eff40b9f', 'Entwürfe', 'Drafts');
INSERT INTO public.folder_maps VALUES ('0d054987885c83b471550fcb4bb22397', '83ecb521bf320f677287e8b923809bb3', 'INBOX', 'INBOX');
INSERT INTO public.folder_maps VALUES ('0d054987885c83b471550fcb4bb22397', 'ab5ee80993a44ac84eb323a5eff40b9f', 'Entwürfe', 'Drafts');
INSERT INTO public.folder_maps VALUES ('1f7ee1b3cf6aced2ac8aeb28a263d3d8', '83ecb521bf320f677287e8b923809bb3', 'INBOX', 'INBOX');
INSERT INTO public.folder_maps VALUES ('1f7ee1b3cf6aced2ac8aeb28a263d3d8', 'ab5ee80993a44ac84eb323a5eff40b9f', 'Entwürfe', 'Drafts');
INSERT INTO public.folder_maps VALUES ('3ef13f254aa23f126f0334e917bfc9da', '83ecb521bf320f677287e8b923809bb3', 'INBOX', 'INBOX');
INSERT INTO public.folder_maps VALUES ('3ef13f254aa23f126f0334e917bfc9da', 'ab5ee80993a44ac84eb323a5eff40b9f', 'Entwürfe', 'Drafts');

INSERT INTO public.grants VALUES ('4k4sdvzt5mxp', '\x674141414141427244434842494b7368684a5851704338774a756e377a38674f757274656b456135756f6c6d7a617264696850364358465755356c7641587639523939616942725f754b696d78614e565f6133654130424f364875664758416d5555425848706135396170676433794f304b4a62766867397945377971363275574c4c7159766433756d7038393175584f51476f734858712d79354859744f6138656a75616b717a6737326e44676a4f4b7032497371413d', '\x6741414141414272444348423377636435344267325f2d45664837794c62356d32646b7453794b49755f64393638566b332d6554712d56646e6b46564d6a5138344567386838336b61312d6c4554684376342d6275773338755f356e574d6e4c44707a366c462d5a5277557a74724c7158354c474d38443354697a2d7a713937614e35794a62797936447570684b4d53647154342d4a30435768317864354873586d55454147537a7648646e626e5044316561745f694d3d');
INSERT INTO public.grants VALUES ('6e3dv3mhyqgq', '\x6741414141414272444348427547324e57535a4e726e676e376b794b4f49794b74335463386c537963487967376e357358743549676d2d356f486b6c4f35634d6452483741364f795a506f756a344a31576365505141734c4d7a344f6a6c444345723048725156726e76304d366c2d78494a42723547535a633439755367586d775449674e5f76457a71763768625279436d4352477648574e54766f69527973767a524e4b397952396e6457575a537a726c6c5f4433413d', '\x674141414141427244434842614c6d356d6f524e6e376579686978784b663738587064387375646b6e4b7353493338316b6c3665596f662d724f6a426b466144452d65627748692d7678434c45566f3379743630664259784a617a6a495f454136696e6c6f6c686d444a577039517a54374c5a6e47664666665f6c715a49474e777359424a4d424c4a734e387361415f7061724154643247304964316863593569796b574d6c7136346e524939747773546c7a4533556f3d');
INSERT INTO public.grants VALUES ('nkksvzqgzjjk', '\x674141414141427244434842336f6f415f6b736a445456756d57416f756d7571644f49656e4d53592d68676d30314d366b624769324f78344652387553416f4a52714a714e4137414f35784773792d71626d7435633768757644495138727947485770624c7458527049372d305255617a4d6e665476474d6a706c4c486565616968384f336635505a6a6753353975504b41426d49625a4c416e65725063475a47704f6e6f476f504c66317965462d63454d71634a53343d', '\x6741414141414272444348424f447678513846372d6b64587756475a525f685463754c4c4458544d793777635f7755655f524e6751303735356a7236483141376e776f616b68736356435a6d57735733464b4d4234734b4350424e314e755361617a6244646562763049794731424849684c545f536255306d5244626345413658414c4a376a6663615033344e446377413859397559786a364b57516478474833772d562d69585f3133675f664b676f53596b6e7239453d');
INSERT INTO public.grants VALUES ('nte6k5yp6t26', '\x674141414141427244434842593063732d514d5862794c4e324f71664f33775a33353155535470755f785146494e5f6e764748704d446e424d313874435a54706367454f31463334566f4d6651754c72314631377168494c6346483957314e49516361696c3354446b795750584c4b396b347372473238567a697937595f755a45747342533342524c72654777434957794c736d4b4d72696e6f49767667394731706d7432396a58766f41614c655a564d3263657459453d', '\x6741414141414272444348424574625a586c56507243484c58327a68593255743532773846456d6c497851626a4a5361434d79725362385f6a4c6978793077766e635667726a43724252714a565137614b4a4d6469796b7163563170657844463755524f43763349466b495f7531446c5457526c37484b65625369655a794e343868432d53496c302d536371424367545145556d3964424644793546566268447941574c57364268664377703751475f61664f566979493d');

INSERT INTO public.imports VALUES (1, '4k4sdvzt5mxp', 1, 'wxv83asm6cys', 2, '4346888ff10eb5751d53d812ea8846e0', 'queued@old.example', 'queued@old.example', 'imap.old.example', 993, 'tls', false, 'queued@new.example', 'queued@new.example', 'imap.new.example', 993, 'tls', false, '2026-11-30 02:44:45.424273+13:45', 'ada@new.example', 'de', 'queued', NULL, NULL, NULL, NULL, NULL, 0, '{"folder": "", "folders_done": 0, "folders_total": 0, "messages_done": 0, "messages_total": 0, "bytes_done": 0}', NULL, NULL, 'one', false, false, '6dec3d586a0f66f5722e7000c4e5db5a', NULL, NULL);
INSERT INTO public.imports VALUES (2, '6e3dv3mhyqgq', 1, 'wxv83asm6cys', 3, '8a365e9acce1a3b2c056bb76d49727e5', 'running@old.example', 'running@old.example', 'imap.old.example', 993, 'tls', false, 'running@new.example', 'running@new.example', 'imap.new.example', 993, 'tls', false, '2026-11-30 02:44:45.435075+13:45', 'ada@new.example', 'de', 'running', NULL, NULL, NULL, NULL, NULL, 0, '{"folder": "INBOX", "folders_done": 1, "folders_total": 2, "messages_done": 8, "messages_total": 8, "bytes_done": 10000}', '2026-11-30 02:44:45.451398+13:45', NULL, 'one', false, true, '2616efec1593dd9a3518ad965b866d93', NULL, NULL);
INSERT INTO public.imports VALUES (3, 'nkksvzqgzjjk', 1, 'wxv83asm6cys', 4, '3759b89bc72f0796ae332c9e8e11b0bb', 'waiting@old.example', 'waiting@old.example', 'imap.old.example', 993, 'tls', false, 'waiting@new.example', 'waiting@new.example', 'imap.new.example', 993, 'tls', false, '2026-11-30 02:44:45.436467+13:45', 'ada@new.example', 'de', 'waiting', 'server_unavailable', 'imap.old.example is busy or in maintenance. It is tried again later.', 'source', '[UNAVAILABLE] come back later', '2026-11-30 02:49:45.451398+13:45', 2, '{"folder": "INBOX", "folders_done": 1, "folders_total": 2, "messages_done": 8, "messages_total": 8, "bytes_done": 10000}', '2026-11-30 02:44:45.451398+13:45', NULL, 'one', false, false, '594659652b9526ddc84a882dafbadafc', NULL, '2026-11-30 02:44:45.451398+13:45');
INSERT INTO public.imports VALUES (4, 'nte6k5yp6t26', 1, 'wxv83asm6cys', 5, '9e21fb8cd92935f92819204b797485e0', 'paused@old.example', 'paused@old.example', 'imap.old.example', 993, 'tls', false, 'paused@new.example', 'paused@new.example', 'imap.new.example', 993, 'tls', false, '2026-11-30 02:44:45.437421+13:45', 'ada@new.example', 'de', 'paused', NULL, NULL, NULL, NULL, '2026-12-14 02:44:45.451398+13:45', 0, '{"folder": "INBOX", "folders_done": 1, "folders_total": 2, "messages_done": 8, "messages_total": 8, "bytes_done": 10000}', '2026-11-30 02:44:45.451398+13:45', NULL, 'one', false, true, 'df2fba559132ef9eb9989caf4c5d9cc1', 'pause', '2026-11-30 02:44:45.451398+13:45');
INSERT INTO public.imports VALUES (6, 'crcrsz2xsm6q', 1, 'wxv83asm6cys', 7, 'ead608148ee6ce231065838bd4e1bc16', 'incomplete@old.example', 'incomplete@old.example', 'imap.old.example', 993, 'tls', false, 'incomplete@new.example', 'incomplete@new.example', 'imap.new.example', 993, 'tls', false, '2026-11-30 02:44:45.439303+13:45', 'ada@new.example', 'de', 'incomplete', NULL, NULL, NULL, NULL, NULL, 0, '{"folder": "INBOX", "folders_done": 1, "folders_total": 2, "messages_done": 8, "messages_total": 8, "bytes_done": 10000}', '2026-11-30 02:44:45.451398+13:45', '2026-11-30 02:44:45.542553+13:45', 'one', false, true, 'd9cd9a4b6c34a26bf48f61d7f416cc3a', NULL, NULL);
INSERT INTO public.imports VALUES (5, 'g4n3hczmpcgn', 1, 'wxv83asm6cys', 6, '0e98ed0e1d1617cd3f16f3727d0233cf', 'complete@old.example', 'complete@old.example', 'imap.old.example', 993, 'tls', false, 'complete@new.example', 'complete@new.example', 'imap.new.example', 993, 'tls', false, '2026-11-30 02:44:45.438397+13:45', 'ada@new.example', 'de', 'complete', NULL, NULL, NULL, NULL, NULL, 0, '{"folder": "INBOX", "folders_done": 1, "folders_total": 2, "messages_done": 8, "messages_total": 8, "bytes_done": 10000}', '2026-11-30 02:44:45.451398+13:45', '2026-11-30 02:44:45.521395+13:45', 'one', false, false, '94b6ce6171efbec83bf7c77e643d29dc', NULL, NULL);
INSERT INTO public.imports VALUES (7, '92hs4zgrsw63', 1, 'wxv83asm6cys', 8, '0d054987885c83b471550fcb4bb22397', 'stopped@old.example', 'stopped@old.example', 'imap.old.example', 993, 'tls', false, 'stopped@new.example', 'stopped@new.example', 'imap.new.example', 993, 'tls', false, '2026-11-30 02:44:45.440214+13:45', 'ada@new.example', 'de', 'stopped', 'login_rejected', 'imap.old.example refused the login.', 'source', '[AUTHENTICATIONFAILED] Authentication failed.', NULL, 0, '{"folder": "INBOX", "folders_done": 1, "folders_total": 2, "messages_done": 8, "messages_total": 8, "bytes_done": 10000}', '2026-11-30 02:44:45.451398+13:45', '2026-11-30 02:44:45.559495+13:45', 'one', false, false, '3402923a8a0627636e88467442e3483e', NULL, NULL);
INSERT INTO public.imports VALUES (8, '5u4rnfbdz5v9', 1, 'wxv83asm6cys', 9, '1f7ee1b3cf6aced2ac8aeb28a263d3d8', 'cancelled@old.example', 'cancelled@old.example', 'imap.old.example', 993, 'tls', false, 'cancelled@new.example', 'cancelled@new.example', 'imap.new.example', 993, 'tls', false, '2026-11-30 02:44:45.441095+13:45', 'ada@new.example', 'de', 'cancelled', NULL, NULL, NULL, NULL, NULL, 0, '{"folder": "INBOX", "folders_done": 1, "folders_total": 2, "messages_done": 8, "messages_total": 8, "bytes_done": 10000}', '2026-11-30 02:44:45.451398+13:45', '2026-11-30 02:44:45.577974+13:45', 'one', false, true, 'ece47f4c54aa290c4f3f987eaa60b873', 'cancel', NULL);
INSERT INTO public.imports VALUES (9, 'rq4cw9kp69sc', 1, 'wxv83asm6cys', 10, '3ef13f254aa23f126f0334e917bfc9da', 'failed@old.example', 'failed@old.example', 'imap.old.example', 993, 'tls', false, 'failed@new.example', 'failed@new.example', 'imap.new.example', 993, 'tls', false, '2026-11-30 02:44:45.442114+13:45', 'ada@new.example', 'de', 'failed', 'internal', 'Something went wrong; the log has the details.', NULL, '', NULL, 0, '{"folder": "INBOX", "folders_done": 1, "folders_total": 2, "messages_done": 8, "messages_total": 8, "bytes_done": 10000}', '2026-11-30 02:44:45.451398+13:45', '2026-11-30 02:44:45.599511+13:45', 'one', false, false, '10ec660c47f001bf59f11dc80766b7c0', NULL, NULL);

INSERT INTO public.intents VALUES ('8a365e9acce1a3b2c056bb76d49727e5', '83ecb521bf320f677287e8b923809bb3', 0, 'INBOX', 7, 1004, '6e3dv3mhyqgq', 'INBOX', 3, '7:8', '\x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f', '[10, 20]', '', '2026-11-30 02:44:45.451398+13:45');

INSERT INTO public.leases VALUES ('import:4k4sdvzt5mxp', NULL, 1, '2026-11-30 02:45:45.451398+13:45');
INSERT INTO public.leases VALUES ('import:6e3dv3mhyqgq', 'worker-1', 1, '2026-11-30 02:45:45.451398+13:45');
INSERT INTO public.leases VALUES ('import:nkksvzqgzjjk', NULL, 1, '2026-11-30 02:45:45.451398+13:45');
INSERT INTO public.leases VALUES ('import:nte6k5yp6t26', NULL, 1, '2026-11-30 02:45:45.451398+13:45');
INSERT INTO public.leases VALUES ('import:crcrsz2xsm6q', NULL, 1, '2026-11-30 02:45:45.451398+13:45');
INSERT INTO public.leases VALUES ('import:92hs4zgrsw63', NULL, 1, '2026-11-30 02:45:45.451398+13:45');
INSERT INTO public.leases VALUES ('import:5u4rnfbdz5v9', NULL, 1, '2026-11-30 02:45:45.451398+13:45');
INSERT INTO public.leases VALUES ('import:rq4cw9kp69sc', NULL, 1, '2026-11-30 02:45:45.451398+13:45');
INSERT INTO public.leases VALUES ('import:g4n3hczmpcgn', NULL, 2, '2026-11-30 02:45:45.451398+13:45');

INSERT INTO public.marks VALUES ('8a365e9acce1a3b2c056bb76d49727e5', 'ab5ee80993a44ac84eb323a5eff40b9f', 'Entwürfe', '6e3dv3mhyqgq', 3, 3, 2, 0, 0, 'Drafts', 7, 1002, '{"found": 2, "copied": 2, "present": 0, "duplicate": 0, "skipped": {}, "failed": 0, "copied_bytes": 4000, "keywords_dropped": 0, "confirmed": 2, "source_recount": 2, "elsewhere": 0, "flags_updated": 0}');
INSERT INTO public.marks VALUES ('3759b89bc72f0796ae332c9e8e11b0bb', 'ab5ee80993a44ac84eb323a5eff40b9f', 'Entwürfe', 'nkksvzqgzjjk', 3, 3, 2, 0, 0, 'Drafts', 7, 1002, '{"found": 2, "copied": 2, "present": 0, "duplicate": 0, "skipped": {}, "failed": 0, "copied_bytes": 4000, "keywords_dropped": 0, "confirmed": 2, "source_recount": 2, "elsewhere": 0, "flags_updated": 0}');
INSERT INTO public.marks VALUES ('9e21fb8cd92935f92819204b797485e0', 'ab5ee80993a44ac84eb323a5eff40b9f', 'Entwürfe', 'nte6k5yp6t26', 3, 3, 2, 0, 0, 'Drafts', 7, 1002, '{"found": 2, "copied": 2, "present": 0, "duplicate": 0, "skipped": {}, "failed": 0, "copied_bytes": 4000, "keywords_dropped": 0, "confirmed": 2, "source_recount": 2, "elsewhere": 0, "flags_updated": 0}');
INSERT INTO public.marks VALUES ('0e98ed0e1d1617cd3f16f3727d0233cf', 'ab5ee80993a44ac84eb323a5eff40b9f', 'Entwürfe', 'g4n3hczmpcgn', 3, 3, 2, 0, 0, 'Drafts', 7, 1002, '{"found": 2, "copied": 2, "present": 0, "duplicate": 0, "skipped": {}, "failed": 0, "copied_bytes": 4000, "keywords_dropped": 0, "confirmed": 2, "source_recount": 2, "elsewhere": 0, "flags_updated": 0}');
INSERT INTO public.marks VALUES ('ead608148ee6ce231065838bd4e1bc16', 'ab5ee80993a44ac84eb323a5eff40b9f', 'Entwürfe', 'crcrsz2xsm6q', 3, 3, 2, 0, 0, 'Drafts', 7, 1002, '{"found": 2, "copied": 2, "present": 0, "duplicate": 0, "skipped": {}, "failed": 0, "copied_bytes": 4000, "keywords_dropped": 0, "confirmed": 2, "source_recount": 2, "elsewhere": 0, "flags_updated": 0}');
INSERT INTO public.marks VALUES ('0d054987885c83b471550fcb4bb22397', 'ab5ee80993a44ac84eb323a5eff40b9f', 'Entwürfe', '92hs4zgrsw63', 3, 3, 2, 0, 0, 'Drafts', 7, 1002, '{"found": 2, "copied": 2, "present": 0, "duplicate": 0, "skipped": {}, "failed": 0, "copied_bytes": 4000, "keywords_dropped": 0, "confirmed": 2, "source_recount": 2, "elsewhere": 0, "flags_updated": 0}');
INSERT INTO public.marks VALUES ('1f7ee1b3cf6aced2ac8aeb28a263d3d8', 'ab5ee80993a44ac84eb323a5eff40b9f', 'Entwürfe', '5u4rnfbdz5v9', 3, 3, 2, 0, 0, 'Drafts', 7, 1002, '{"found": 2, "copied": 2, "present": 0, "duplicate": 0, "skipped": {}, "failed": 0, "copied_bytes": 4000, "keywords_dropped": 0, "confirmed": 2, "source_recount": 2, "elsewhere": 0, "flags_updated": 0}');
INSERT INTO public.marks VALUES ('3ef13f254aa23f126f0334e917bfc9da', 'ab5ee80993a44ac84eb323a5eff40b9f', 'Entwürfe', 'rq4cw9kp69sc', 3, 3, 2, 0, 0, 'Drafts', 7, 1002, '{"found": 2, "copied": 2, "present": 0, "duplicate": 0, "skipped": {}, "failed": 0, "copied_bytes": 4000, "keywords_dropped": 0, "confirmed": 2, "source_recount": 2, "elsewhere": 0, "flags_updated": 0}');

INSERT INTO public.notices VALUES (1, 'note:1', 'ada@new.example', 'Angekommen ✓', 'Alles da.
', '<p>Alles da.</p>', '<n1@new.example>', '2026-11-30 02:44:45.451398+13:45', 'pending', 0, NULL, '');

INSERT INTO public.receipts VALUES (1, '8a365e9acce1a3b2c056bb76d49727e5', '83ecb521bf320f677287e8b923809bb3', 'INBOX', 7, '1001:1003', '6e3dv3mhyqgq', 'INBOX', 3, '1:3', 'copied', '\x6b86b273ff34fce19d6b804eff5a3f57d4735e3a265e16eee03f59718b9b5d034e07408562bedb8b60ce05c1decfe3ad', 6000, '', 0, '3 \\Seen', '', false);
INSERT INTO public.receipts VALUES (2, '8a365e9acce1a3b2c056bb76d49727e5', '83ecb521bf320f677287e8b923809bb3', 'INBOX', 7, '', '6e3dv3mhyqgq', 'INBOX', 3, '4', 'present', '\x4b227777d4dd1fc61c6f884f48641d02', 2000, '', 0, '', '', false);
INSERT INTO public.receipts VALUES (3, '8a365e9acce1a3b2c056bb76d49727e5', '83ecb521bf320f677287e8b923809bb3', 'INBOX', 7, '', '6e3dv3mhyqgq', 'INBOX', 3, '5', 'duplicate', '\xef2d127de37b942baad06145e54b0c61', 2000, '', 0, '', '', false);
INSERT INTO public.receipts VALUES (4, '8a365e9acce1a3b2c056bb76d49727e5', 'f592e6a4db3c6638e1c6ce47797d4919', 'Drafts', 7, '1001:1002', '6e3dv3mhyqgq', 'Entwürfe', 3, '1:2', 'copied', '\x6b86b273ff34fce19d6b804eff5a3f57d4735e3a265e16eee03f59718b9b5d03', 4000, '', 0, '2 \\Draft', '', false);
INSERT INTO public.receipts VALUES (5, '3759b89bc72f0796ae332c9e8e11b0bb', '83ecb521bf320f677287e8b923809bb3', 'INBOX', 7, '1001:1003', 'nkksvzqgzjjk', 'INBOX', 3, '1:3', 'copied', '\x6b86b273ff34fce19d6b804eff5a3f57d4735e3a265e16eee03f59718b9b5d034e07408562bedb8b60ce05c1decfe3ad', 6000, '', 0, '3 \\Seen', '', false);
INSERT INTO public.receipts VALUES (6, '3759b89bc72f0796ae332c9e8e11b0bb', '83ecb521bf320f677287e8b923809bb3', 'INBOX', 7, '', 'nkksvzqgzjjk', 'INBOX', 3, '4', 'present', '\x4b227777d4dd1fc61c6f884f48641d02', 2000, '', 0, '', '', false);
INSERT INTO public.receipts VALUES (7, '3759b89bc72f0796ae332c9e8e11b0bb', '83ecb521bf320f677287e8b923809bb3', 'INBOX', 7, '', 'nkksvzqgzjjk', 'INBOX', 3, '5', 'duplicate', '\xef2d127de37b942baad06145e54b0c61', 2000, '', 0, '', '', false);
INSERT INTO public.receipts VALUES (8, '3759b89bc72f0796ae332c9e8e11b0bb', 'f592e6a4db3c6638e1c6ce47797d4919', 'Drafts', 7, '1001:1002', 'nkksvzqgzjjk', 'Entwürfe', 3, '1:2', 'copied', '\x6b86b273ff34fce19d6b804eff5a3f57d4735e3a265e16eee03f59718b9b5d03', 4000, '', 0, '2 \\Draft', '', false);
INSERT INTO public.receipts VALUES (9, '9e21fb8cd92935f92819204b797485e0', '83ecb521bf320f677287e8b923809bb3', 'INBOX', 7, '1001:1003', 'nte6k5yp6t26', 'INBOX', 3, '1:3', 'copied', '\x6b86b273ff34fce19d6b804eff5a3f57d4735e3a265e16eee03f59718b9b5d034e07408562bedb8b60ce05c1decfe3ad', 6000, '', 0, '3 \\Seen', '', false);
INSERT INTO public.receipts VALUES (10, '9e21fb8cd92935f92819204b797485e0', '83ecb521bf320f677287e8b923809bb3', 'INBOX', 7, '', 'nte6k5yp6t26', 'INBOX', 3, '4', 'present', '\x4b227777d4dd1fc61c6f884f48641d02', 2000, '', 0, '', '', false);
INSERT INTO public.receipts VALUES (11, '9e21fb8cd92935f92819204b797485e0', '83ecb521bf320f677287e8b923809bb3', 'INBOX', 7, '', 'nte6k5yp6t26', 'INBOX', 3, '5', 'duplicate', '\xef2d127de37b942baad06145e54b0c61', 2000, '', 0, '', '', false);
INSERT INTO public.receipts VALUES (12, '9e21fb8cd92935f92819204b797485e0', 'f592e6a4db3c6638e1c6ce47797d4919', 'Drafts', 7, '1001:1002', 'nte6k5yp6t26', 'Entwürfe', 3, '1:2', 'copied', '\x6b86b273ff34fce19d6b804eff5a3f57d4735e3a265e16eee03f59718b9b5d03', 4000, '', 0, '2 \\Draft', '', false);
INSERT INTO public.receipts VALUES (13, '0e98ed0e1d1617cd3f16f3727d0233cf', '83ecb521bf320f677287e8b923809bb3', 'INBOX', 7, '1001:1003', 'g4n3hczmpcgn', 'INBOX', 3, '1:3', 'copied', '\x6b86b273ff34fce19d6b804eff5a3f57d4735e3a265e16eee03f59718b9b5d034e07408562bedb8b60ce05c1decfe3ad', 6000, '', 0, '3 \\Seen', '', false);
INSERT INTO public.receipts VALUES (14, '0e98ed0e1d1617cd3f16f3727d0233cf', '83ecb521bf320f677287e8b923809bb3', 'INBOX', 7, '', 'g4n3hczmpcgn', 'INBOX', 3, '4', 'present', '\x4b227777d4dd1fc61c6f884f48641d02', 2000, '', 0, '', '', false);
INSERT INTO public.receipts VALUES (15, '0e98ed0e1d1617cd3f16f3727d0233cf', '83ecb521bf320f677287e8b923809bb3', 'INBOX', 7, '', 'g4n3hczmpcgn', 'INBOX', 3, '5', 'duplicate', '\xef2d127de37b942baad06145e54b0c61', 2000, '', 0, '', '', false);
INSERT INTO public.receipts VALUES (16, '0e98ed0e1d1617cd3f16f3727d0233cf', 'f592e6a4db3c6638e1c6ce47797d4919', 'Drafts', 7, '1001:1002', 'g4n3hczmpcgn', 'Entwürfe', 3, '1:2', 'copied', '\x6b86b273ff34fce19d6b804eff5a3f57d4735e3a265e16eee03f59718b9b5d03', 4000, '', 0, '2 \\Draft', '', false);
INSERT INTO public.receipts VALUES (17, 'ead608148ee6ce231065838bd4e1bc16', '83ecb521bf320f677287e8b923809bb3', 'INBOX', 7, '1001:1003', 'crcrsz2xsm6q', 'INBOX', 3, '1:3', 'copied', '\x6b86b273ff34fce19d6b804eff5a3f57d4735e3a265e16eee03f59718b9b5d034e07408562bedb8b60ce05c1decfe3ad', 6000, '', 0, '3 \\Seen', '', false);
INSERT INTO public.receipts VALUES (18, 'ead608148ee6ce231065838bd4e1bc16', '83ecb521bf320f677287e8b923809bb3', 'INBOX', 7, '', 'crcrsz2xsm6q', 'INBOX', 3, '4', 'present', '\x4b227777d4dd1fc61c6f884f48641d02', 2000, '', 0, '', '', false);
INSERT INTO public.receipts VALUES (19, 'ead608148ee6ce231065838bd4e1bc16', '83ecb521bf320f677287e8b923809bb3', 'INBOX', 7, '', 'crcrsz2xsm6q', 'INBOX', 3, '5', 'duplicate', '\xef2d127de37b942baad06145e54b0c61', 2000, '', 0, '', '', false);
INSERT INTO public.receipts VALUES (20, 'ead608148ee6ce231065838bd4e1bc16', 'f592e6a4db3c6638e1c6ce47797d4919', 'Drafts', 7, '1001:1002', 'crcrsz2xsm6q', 'Entwürfe', 3, '1:2', 'copied', '\x6b86b273ff34fce19d6b804eff5a3f57d4735e3a265e16eee03f59718b9b5d03', 4000, '', 0, '2 \\Draft', '', false);
INSERT INTO public.receipts VALUES (21, '0d054987885c83b471550fcb4bb22397', '83ecb521bf320f677287e8b923809bb3', 'INBOX', 7, '1001:1003', '92hs4zgrsw63', 'INBOX', 3, '1:3', 'copied', '\x6b86b273ff34fce19d6b804eff5a3f57d4735e3a265e16eee03f59718b9b5d034e07408562bedb8b60ce05c1decfe3ad', 6000, '', 0, '3 \\Seen', '', false);
INSERT INTO public.receipts VALUES (22, '0d054987885c83b471550fcb4bb22397', '83ecb521bf320f677287e8b923809bb3', 'INBOX', 7, '', '92hs4zgrsw63', 'INBOX', 3, '4', 'present', '\x4b227777d4dd1fc61c6f884f48641d02', 2000, '', 0, '', '', false);
INSERT INTO public.receipts VALUES (23, '0d054987885c83b471550fcb4bb22397', '83ecb521bf320f677287e8b923809bb3', 'INBOX', 7, '', '92hs4zgrsw63', 'INBOX', 3, '5', 'duplicate', '\xef2d127de37b942baad06145e54b0c61', 2000, '', 0, '', '', false);
INSERT INTO public.receipts VALUES (24, '0d054987885c83b471550fcb4bb22397', 'f592e6a4db3c6638e1c6ce47797d4919', 'Drafts', 7, '1001:1002', '92hs4zgrsw63', 'Entwürfe', 3, '1:2', 'copied', '\x6b86b273ff34fce19d6b804eff5a3f57d4735e3a265e16eee03f59718b9b5d03', 4000, '', 0, '2 \\Draft', '', false);
INSERT INTO public.receipts VALUES (25, '1f7ee1b3cf6aced2ac8aeb28a263d3d8', '83ecb521bf320f677287e8b923809bb3', 'INBOX', 7, '1001:1003', '5u4rnfbdz5v9', 'INBOX', 3, '1:3', 'copied', '\x6b86b273ff34fce19d6b804eff5a3f57d4735e3a265e16eee03f59718b9b5d034e07408562bedb8b60ce05c1decfe3ad', 6000, '', 0, '3 \\Seen', '', false);
INSERT INTO public.receipts VALUES (26, '1f7ee1b3cf6aced2ac8aeb28a263d3d8', '83ecb521bf320f677287e8b923809bb3', 'INBOX', 7, '', '5u4rnfbdz5v9', 'INBOX', 3, '4', 'present', '\x4b227777d4dd1fc61c6f884f48641d02', 2000, '', 0, '', '', false);
INSERT INTO public.receipts VALUES (27, '1f7ee1b3cf6aced2ac8aeb28a263d3d8', '83ecb521bf320f677287e8b923809bb3', 'INBOX', 7, '', '5u4rnfbdz5v9', 'INBOX', 3, '5', 'duplicate', '\xef2d127de37b942baad06145e54b0c61', 2000, '', 0, '', '', false);
INSERT INTO public.receipts VALUES (28, '1f7ee1b3cf6aced2ac8aeb28a263d3d8', 'f592e6a4db3c6638e1c6ce47797d4919', 'Drafts', 7, '1001:1002', '5u4rnfbdz5v9', 'Entwürfe', 3, '1:2', 'copied', '\x6b86b273ff34fce19d6b804eff5a3f57d4735e3a265e16eee03f59718b9b5d03', 4000, '', 0, '2 \\Draft', '', false);
INSERT INTO public.receipts VALUES (29, '3ef13f254aa23f126f0334e917bfc9da', '83ecb521bf320f677287e8b923809bb3', 'INBOX', 7, '1001:1003', 'rq4cw9kp69sc', 'INBOX', 3, '1:3', 'copied', '\x6b86b273ff34fce19d6b804eff5a3f57d4735e3a265e16eee03f59718b9b5d034e07408562bedb8b60ce05c1decfe3ad', 6000, '', 0, '3 \\Seen', '', false);
INSERT INTO public.receipts VALUES (30, '3ef13f254aa23f126f0334e917bfc9da', '83ecb521bf320f677287e8b923809bb3', 'INBOX', 7, '', 'rq4cw9kp69sc', 'INBOX', 3, '4', 'present', '\x4b227777d4dd1fc61c6f884f48641d02', 2000, '', 0, '', '', false);
INSERT INTO public.receipts VALUES (31, '3ef13f254aa23f126f0334e917bfc9da', '83ecb521bf320f677287e8b923809bb3', 'INBOX', 7, '', 'rq4cw9kp69sc', 'INBOX', 3, '5', 'duplicate', '\xef2d127de37b942baad06145e54b0c61', 2000, '', 0, '', '', false);
INSERT INTO public.receipts VALUES (32, '3ef13f254aa23f126f0334e917bfc9da', 'f592e6a4db3c6638e1c6ce47797d4919', 'Drafts', 7, '1001:1002', 'rq4cw9kp69sc', 'Entwürfe', 3, '1:2', 'copied', '\x6b86b273ff34fce19d6b804eff5a3f57d4735e3a265e16eee03f59718b9b5d03', 4000, '', 0, '2 \\Draft', '', false);

INSERT INTO public.refusals VALUES (1, '6e3dv3mhyqgq', 'INBOX', 3, 6, 'It is larger than the new mailbox takes.', '2024-02-29', 'Grüße ✓', 300000000, 1, false, 'too_large');
INSERT INTO public.refusals VALUES (2, 'nkksvzqgzjjk', 'INBOX', 3, 6, 'It is larger than the new mailbox takes.', '2024-02-29', 'Grüße ✓', 300000000, 1, false, 'too_large');
INSERT INTO public.refusals VALUES (3, 'nte6k5yp6t26', 'INBOX', 3, 6, 'It is larger than the new mailbox takes.', '2024-02-29', 'Grüße ✓', 300000000, 1, false, 'too_large');
INSERT INTO public.refusals VALUES (4, 'g4n3hczmpcgn', 'INBOX', 3, 6, 'It is larger than the new mailbox takes.', '2024-02-29', 'Grüße ✓', 300000000, 1, false, 'too_large');
INSERT INTO public.refusals VALUES (5, 'crcrsz2xsm6q', 'INBOX', 3, 6, 'It is larger than the new mailbox takes.', '2024-02-29', 'Grüße ✓', 300000000, 1, false, 'too_large');
INSERT INTO public.refusals VALUES (6, '92hs4zgrsw63', 'INBOX', 3, 6, 'It is larger than the new mailbox takes.', '2024-02-29', 'Grüße ✓', 300000000, 1, false, 'too_large');
INSERT INTO public.refusals VALUES (7, '5u4rnfbdz5v9', 'INBOX', 3, 6, 'It is larger than the new mailbox takes.', '2024-02-29', 'Grüße ✓', 300000000, 1, false, 'too_large');
INSERT INTO public.refusals VALUES (8, 'rq4cw9kp69sc', 'INBOX', 3, 6, 'It is larger than the new mailbox takes.', '2024-02-29', 'Grüße ✓', 300000000, 1, false, 'too_large');

INSERT INTO public.routes VALUES ('8a365e9acce1a3b2c056bb76d49727e5', 5);
INSERT INTO public.routes VALUES ('3759b89bc72f0796ae332c9e8e11b0bb', 5);
INSERT INTO public.routes VALUES ('9e21fb8cd92935f92819204b797485e0', 5);
INSERT INTO public.routes VALUES ('0e98ed0e1d1617cd3f16f3727d0233cf', 5);
INSERT INTO public.routes VALUES ('ead608148ee6ce231065838bd4e1bc16', 5);
INSERT INTO public.routes VALUES ('0d054987885c83b471550fcb4bb22397', 5);
INSERT INTO public.routes VALUES ('1f7ee1b3cf6aced2ac8aeb28a263d3d8', 5);
INSERT INTO public.routes VALUES ('3ef13f254aa23f126f0334e917bfc9da', 5);

INSERT INTO public.tokens VALUES (1, '7d8hunux2bht', 'panel', '27f07828df1b3e841c126d7d92c51eb16aa8371a74494992b7533a70b9b36387', '["read", "write"]', '2026-11-30 02:44:45.610421+13:45', '2036-11-27 02:44:45.610421+13:45', NULL, '["new.example"]', '', '\x');

INSERT INTO public.undos VALUES ('g4n3hczmpcgn', '2026-11-30 02:44:45.451398+13:45', '[{"folder": "INBOX", "added": 3, "removed": 2, "touched": 1, "altered": 0, "gone": 0, "unidentified": 0}, {"folder": "Drafts", "added": 2, "removed": 2, "touched": 0, "altered": 0, "gone": 0, "unidentified": 0}]', '[]', '[]', 0);

INSERT INTO public.visits VALUES ('c963d909548fca6c53ad105088249a1810fa5640af609fdc51ebb1d9fec786c2', 'mailbox:ada@new.example imap.new.example', '2026-11-30 02:44:45.61187+13:45', '2026-11-30 14:44:45.61187+13:45', '\x674141414141427244434842342d6e7230424b544d507331736257524e367575775a325658556d5f61507238414264574c417931416255386d77564c7835315f41333773477551417537566c59356e793146664e4143794e41347052445a4f4962397139434d3449734f6b564e6d3276667667696a45685a5774586a38796f345f34663179783552676a746d70595f4f465971654d377a426952626c554f4b67586f52722d5131496634747862776e4959793067355836355438354358644c424536743039555165593264575f733933797a436153366e6c634e4b51654b4b4f585145446347457838344d5446785f736c59724447436f4b66365a724769585f6574396b6d6f3065566f66727148514a30675852754c6649696b6a315f767763336e304d6849415239574638414b77332d676a487666413544495055665031325f52714e4e636b65505235466a33616568466b347857757230766e52506e4b42563952546442313135446a6343426b4f377a6a362d52673d');

SELECT pg_catalog.setval('public.accounts_seq_seq', 16, true);

SELECT pg_catalog.setval('public.batches_seq_seq', 1, true);

SELECT pg_catalog.setval('public.calls_seq_seq', 1, false);

SELECT pg_catalog.setval('public.created_folders_seq_seq', 1, false);

SELECT pg_catalog.setval('public.imports_seq_seq', 9, true);

SELECT pg_catalog.setval('public.notices_seq_seq', 1, true);

SELECT pg_catalog.setval('public.receipts_seq_seq', 32, true);

SELECT pg_catalog.setval('public.refusals_seq_seq', 8, true);

SELECT pg_catalog.setval('public.tokens_seq_seq', 1, true);

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_import_id_source_key_key UNIQUE (import_id, source_key);

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_pk PRIMARY KEY (seq);

ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);

ALTER TABLE ONLY public.answers
    ADD CONSTRAINT answers_pk PRIMARY KEY (token_id, key);

ALTER TABLE ONLY public.backoffs
    ADD CONSTRAINT backoffs_pk PRIMARY KEY (name);

ALTER TABLE ONLY public.batches
    ADD CONSTRAINT batches_id_key UNIQUE (id);

ALTER TABLE ONLY public.batches
    ADD CONSTRAINT batches_pk PRIMARY KEY (seq);

ALTER TABLE ONLY public.calls
    ADD CONSTRAINT calls_key_key UNIQUE (key);

ALTER TABLE ONLY public.calls
    ADD CONSTRAINT calls_pk PRIMARY KEY (seq);

ALTER TABLE ONLY public.consents
    ADD CONSTRAINT consents_pk PRIMARY KEY (import_id, side);

ALTER TABLE ONLY public.consents
    ADD CONSTRAINT consents_token_hash_key UNIQUE (token_hash);

ALTER TABLE ONLY public.counts
    ADD CONSTRAINT counts_pk PRIMARY KEY (key);

ALTER TABLE ONLY public.created_folders
    ADD CONSTRAINT created_folders_import_id_folder_key_key UNIQUE (import_id, folder_key);

ALTER TABLE ONLY public.created_folders
    ADD CONSTRAINT created_folders_pk PRIMARY KEY (seq);

ALTER TABLE ONLY public.folder_maps
    ADD CONSTRAINT folder_maps_pk PRIMARY KEY (route, source_key);

ALTER TABLE ONLY public.grants
    ADD CONSTRAINT grants_pk PRIMARY KEY (import_id);

ALTER TABLE ONLY public.imports
    ADD CONSTRAINT imports_id_key UNIQUE (id);

ALTER TABLE ONLY public.imports
    ADD CONSTRAINT imports_pk PRIMARY KEY (seq);

ALTER TABLE ONLY public.intents
    ADD CONSTRAINT intents_pk PRIMARY KEY (route, destination_key, slot);

ALTER TABLE ONLY public.leases
    ADD CONSTRAINT leases_pk PRIMARY KEY (name);

ALTER TABLE ONLY public.marks
    ADD CONSTRAINT marks_pk PRIMARY KEY (route, source_key);

ALTER TABLE ONLY public.meters
    ADD CONSTRAINT meters_pk PRIMARY KEY (name, hour);

ALTER TABLE ONLY public.notices
    ADD CONSTRAINT notices_key_key UNIQUE (key);

ALTER TABLE ONLY public.notices
    ADD CONSTRAINT notices_pk PRIMARY KEY (seq);

ALTER TABLE ONLY public.receipts
    ADD CONSTRAINT receipts_pk PRIMARY KEY (seq);

ALTER TABLE ONLY public.refusals
    ADD CONSTRAINT refusals_pk PRIMARY KEY (seq);

ALTER TABLE ONLY public.routes
    ADD CONSTRAINT routes_pk PRIMARY KEY (route);

ALTER TABLE ONLY public.slots
    ADD CONSTRAINT slots_pk PRIMARY KEY (name, number);

ALTER TABLE ONLY public.tokens
    ADD CONSTRAINT tokens_digest_key UNIQUE (digest);

ALTER TABLE ONLY public.tokens
    ADD CONSTRAINT tokens_id_key UNIQUE (id);

ALTER TABLE ONLY public.tokens
    ADD CONSTRAINT tokens_pk PRIMARY KEY (seq);

ALTER TABLE ONLY public.undos
    ADD CONSTRAINT undos_pk PRIMARY KEY (import_id);

ALTER TABLE ONLY public.visits
    ADD CONSTRAINT visits_pk PRIMARY KEY (id);

CREATE INDEX answers_expires_at_ix ON public.answers USING btree (expires_at);

CREATE INDEX batches_created_at_ix ON public.batches USING btree (created_at);

CREATE INDEX batches_owner_created_at_ix ON public.batches USING btree (owner, created_at);

CREATE INDEX calls_created_at_ix ON public.calls USING btree (created_at);

CREATE INDEX calls_state_not_before_ix ON public.calls USING btree (state, not_before);

CREATE INDEX consents_state_hash_ix ON public.consents USING btree (state_hash);

CREATE INDEX counts_expires_at_ix ON public.counts USING btree (expires_at);

CREATE INDEX imports_batch_id_ix ON public.imports USING btree (batch_id);

CREATE INDEX imports_created_at_ix ON public.imports USING btree (created_at);

CREATE INDEX imports_route_created_at_ix ON public.imports USING btree (route, created_at);

CREATE INDEX imports_state_created_at_ix ON public.imports USING btree (state, created_at);

CREATE INDEX notices_state_created_at_ix ON public.notices USING btree (state, created_at);

CREATE INDEX receipts_route_destination_key_seq_ix ON public.receipts USING btree (route, destination_key, seq);

CREATE INDEX refusals_import_id_seq_ix ON public.refusals USING btree (import_id, seq);

CREATE INDEX slots_holder_ix ON public.slots USING btree (holder);

CREATE INDEX visits_expires_at_ix ON public.visits USING btree (expires_at);

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_import_id_fk FOREIGN KEY (import_id) REFERENCES public.imports(id);

ALTER TABLE ONLY public.consents
    ADD CONSTRAINT consents_import_id_fk FOREIGN KEY (import_id) REFERENCES public.imports(id);

ALTER TABLE ONLY public.grants
    ADD CONSTRAINT grants_import_id_fk FOREIGN KEY (import_id) REFERENCES public.imports(id);

ALTER TABLE ONLY public.imports
    ADD CONSTRAINT imports_submission_fk FOREIGN KEY (submission) REFERENCES public.batches(seq);

