BEGIN TRANSACTION;
CREATE TABLE acks (
	post_id INTEGER NOT NULL, 
	agent_id INTEGER NOT NULL, 
	created_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, 
	CONSTRAINT pk_acks PRIMARY KEY (post_id, agent_id), 
	CONSTRAINT fk_acks_agent_id_agents FOREIGN KEY(agent_id) REFERENCES agents (id) ON DELETE CASCADE, 
	CONSTRAINT fk_acks_post_id_posts FOREIGN KEY(post_id) REFERENCES posts (id) ON DELETE CASCADE
);
CREATE TABLE agents (
	id INTEGER NOT NULL, 
	workflow_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	role TEXT NOT NULL, 
	agent_type TEXT DEFAULT '' NOT NULL, 
	provider TEXT NOT NULL, 
	model TEXT, 
	status TEXT NOT NULL, 
	phase TEXT DEFAULT 'idle' NOT NULL, 
	task_id INTEGER, 
	provider_session_id TEXT, 
	token TEXT, 
	failures INTEGER DEFAULT '0' NOT NULL, 
	tokens_in INTEGER DEFAULT '0' NOT NULL, 
	tokens_out INTEGER DEFAULT '0' NOT NULL, 
	tokens_cached INTEGER DEFAULT '0' NOT NULL, 
	context_used INTEGER, 
	context_window INTEGER, 
	cost_usd DOUBLE DEFAULT '0' NOT NULL, 
	last_activity_at TEXT, 
	retired_at TEXT, 
	version INTEGER DEFAULT '0' NOT NULL, 
	created_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, session_totals TEXT, held_until TEXT, holds INTEGER DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_agents PRIMARY KEY (id), 
	CONSTRAINT ck_agents_phase CHECK (phase IN ('idle', 'implementing', 'awaiting_review', 'addressing_feedback', 'reviewing', 'committing')), 
	CONSTRAINT ck_agents_role CHECK (role IN ('coordinator', 'worker', 'observer')), 
	CONSTRAINT ck_agents_status CHECK (status IN ('pending', 'ready', 'working', 'paused', 'stopped', 'failed', 'retired')), 
	CONSTRAINT fk_agents_workflow_id_workflows FOREIGN KEY(workflow_id) REFERENCES workflows (id) ON DELETE CASCADE, 
	CONSTRAINT uq_agents_workflow_id_name UNIQUE (workflow_id, name)
);
INSERT INTO "agents" VALUES(1,'wf-t9ausbq7','coordinator','coordinator','','builtin',NULL,'stopped','idle',NULL,NULL,'340d853fe6b60abbecb13bd65629d1d530ca44489d028cebacff621402ce41f6',0,0,0,0,NULL,NULL,0.0,'2026-11-26T09:40:59.628Z',NULL,8,'2026-11-26T09:40:51.466Z','2026-11-26T09:40:59.812Z',NULL,NULL,0);
INSERT INTO "agents" VALUES(2,'wf-t9ausbq7','worker-1','worker','','builtin',NULL,'stopped','idle',NULL,NULL,'2424d70bcec09b8ea84a923bde49b7c04f7bcfb24085f0b203e824ba7a57c962',0,0,0,0,NULL,NULL,0.0,'2026-11-26T09:40:59.206Z',NULL,12,'2026-11-26T09:40:58.168Z','2026-11-26T09:40:59.812Z',NULL,NULL,0);
INSERT INTO "agents" VALUES(3,'wf-jbdylmom','coordinator','coordinator','','builtin',NULL,'stopped','idle',NULL,NULL,'07c71bf6ab6108f8c5f58cef8637f361177c3acf6eaa7e88c58e1c2272561071',0,0,0,0,NULL,NULL,0.0,'2026-11-26T09:41:19.580Z',NULL,6,'2026-11-26T09:41:12.107Z','2026-11-26T09:41:19.776Z',NULL,NULL,0);
INSERT INTO "agents" VALUES(4,'wf-jbdylmom','worker-1','worker','','builtin',NULL,'stopped','idle',NULL,NULL,'f2a28ac88420be4596956f27e78f7398fa92f026d3025298f6ab4a9f0b0e44bc',0,0,0,0,NULL,NULL,0.0,'2026-11-26T09:41:19.080Z',NULL,7,'2026-11-26T09:41:18.597Z','2026-11-26T09:41:19.776Z',NULL,NULL,0);
INSERT INTO "agents" VALUES(5,'wf-8j8uqjzx','coordinator','coordinator','','builtin',NULL,'paused','idle',NULL,NULL,'aab30970dc818bd79db102fbc5fe74ad0e213db7797ec8d8d58f64f2c40b5335',0,0,0,0,NULL,NULL,0.0,'2026-11-26T09:41:43.480Z',NULL,6,'2026-11-26T09:41:36.101Z','2026-11-26T09:41:48.986Z',NULL,NULL,0);
INSERT INTO "agents" VALUES(6,'wf-8j8uqjzx','worker-1','worker','','builtin',NULL,'paused','idle',NULL,NULL,'901326105a61310533e7893711dd392ab193a0bc6944ca07953cbf9e47eef149',0,0,0,0,NULL,NULL,0.0,'2026-11-26T09:41:43.044Z',NULL,7,'2026-11-26T09:41:42.209Z','2026-11-26T09:41:48.986Z',NULL,NULL,0);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0007');
CREATE TABLE artifacts (
	id INTEGER NOT NULL, 
	post_id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	path TEXT NOT NULL, 
	media_type TEXT, 
	size_bytes INTEGER, 
	author TEXT NOT NULL, 
	created_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, 
	CONSTRAINT pk_artifacts PRIMARY KEY (id), 
	CONSTRAINT fk_artifacts_post_id_posts FOREIGN KEY(post_id) REFERENCES posts (id) ON DELETE CASCADE
);
CREATE TABLE channels (
	id INTEGER NOT NULL, 
	workflow_id TEXT NOT NULL, 
	slug TEXT NOT NULL, 
	created_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, 
	CONSTRAINT pk_channels PRIMARY KEY (id), 
	CONSTRAINT fk_channels_workflow_id_workflows FOREIGN KEY(workflow_id) REFERENCES workflows (id) ON DELETE CASCADE, 
	CONSTRAINT uq_channels_workflow_id_slug UNIQUE (workflow_id, slug)
);
CREATE TABLE commands (
	id INTEGER NOT NULL, 
	workflow_id TEXT, 
	agent_id INTEGER, 
	kind TEXT NOT NULL, 
	args TEXT DEFAULT '{}' NOT NULL, 
	source TEXT NOT NULL, 
	status TEXT DEFAULT 'queued' NOT NULL, 
	result TEXT, 
	error TEXT, 
	started_at TEXT, 
	finished_at TEXT, 
	version INTEGER DEFAULT '0' NOT NULL, 
	created_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, request_key TEXT, 
	CONSTRAINT pk_commands PRIMARY KEY (id), 
	CONSTRAINT ck_commands_source CHECK (source IN ('user', 'mcp', 'health', 'engine')), 
	CONSTRAINT ck_commands_status CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'rejected')), 
	CONSTRAINT fk_commands_agent_id_agents FOREIGN KEY(agent_id) REFERENCES agents (id) ON DELETE SET NULL, 
	CONSTRAINT fk_commands_workflow_id_workflows FOREIGN KEY(workflow_id) REFERENCES workflows (id) ON DELETE CASCADE
);
INSERT INTO "commands" VALUES(1,'wf-t9ausbq7',NULL,'start','{}','user','succeeded','{"status":"running"}',NULL,'2026-11-26T09:40:51.333Z','2026-11-26T09:40:51.626Z',2,'2026-11-26T09:40:51.095Z','2026-11-26T09:40:51.626Z',NULL);
INSERT INTO "commands" VALUES(2,'wf-t9ausbq7',1,'spawn_worker','{"agent_type":null,"provider":"builtin"}','mcp','succeeded','{"worker_id":"worker-1","provider":"builtin"}',NULL,'2026-11-26T09:40:58.168Z','2026-11-26T09:40:58.168Z',2,'2026-11-26T09:40:58.168Z','2026-11-26T09:40:58.168Z','12171-1795686051990766662-3');
INSERT INTO "commands" VALUES(3,'wf-t9ausbq7',1,'assign_task','{"worker_id":"worker-1","task_id":"lint","summary":null}','mcp','succeeded','{"status":"assigned","task_id":"lint","worker_id":"worker-1"}',NULL,'2026-11-26T09:40:58.252Z','2026-11-26T09:40:58.252Z',2,'2026-11-26T09:40:58.252Z','2026-11-26T09:40:58.252Z','12171-1795686051990766662-4');
INSERT INTO "commands" VALUES(4,'wf-t9ausbq7',2,'signal_ready','{}','mcp','succeeded','{"status":"acknowledged","worker_id":"worker-1"}',NULL,'2026-11-26T09:40:58.541Z','2026-11-26T09:40:58.541Z',2,'2026-11-26T09:40:58.541Z','2026-11-26T09:40:58.541Z','12633-1795686058526233330-1');
INSERT INTO "commands" VALUES(5,'wf-t9ausbq7',2,'report_implementation_complete','{"summary":"exit 0","exit_code":0}','mcp','succeeded','{"status":"reported","task_id":"lint"}',NULL,'2026-11-26T09:40:58.608Z','2026-11-26T09:40:58.608Z',2,'2026-11-26T09:40:58.608Z','2026-11-26T09:40:58.608Z','12633-1795686058526233330-2');
INSERT INTO "commands" VALUES(6,'wf-t9ausbq7',1,'mark_task_complete','{"task_id":"lint"}','mcp','succeeded','{"status":"done","task_id":"lint","now_ready":["unit"]}',NULL,'2026-11-26T09:40:58.891Z','2026-11-26T09:40:58.891Z',2,'2026-11-26T09:40:58.891Z','2026-11-26T09:40:58.891Z','12652-1795686058828904889-3');
INSERT INTO "commands" VALUES(7,'wf-t9ausbq7',1,'assign_task','{"worker_id":"worker-1","task_id":"unit","summary":null}','mcp','succeeded','{"status":"assigned","task_id":"unit","worker_id":"worker-1"}',NULL,'2026-11-26T09:40:58.998Z','2026-11-26T09:40:58.998Z',2,'2026-11-26T09:40:58.998Z','2026-11-26T09:40:58.998Z','12652-1795686058828904889-6');
INSERT INTO "commands" VALUES(8,'wf-t9ausbq7',2,'report_implementation_complete','{"summary":"exit 0","exit_code":0}','mcp','succeeded','{"status":"reported","task_id":"unit"}',NULL,'2026-11-26T09:40:59.148Z','2026-11-26T09:40:59.148Z',2,'2026-11-26T09:40:59.148Z','2026-11-26T09:40:59.148Z','12673-1795686059116922948-1');
INSERT INTO "commands" VALUES(9,'wf-t9ausbq7',1,'mark_task_complete','{"task_id":"unit"}','mcp','succeeded','{"status":"done","task_id":"unit","now_ready":[]}',NULL,'2026-11-26T09:40:59.444Z','2026-11-26T09:40:59.444Z',2,'2026-11-26T09:40:59.444Z','2026-11-26T09:40:59.444Z','12687-1795686059370999840-3');
INSERT INTO "commands" VALUES(10,'wf-t9ausbq7',1,'signal_workflow_complete','{"status":"success","summary":"2 tasks done"}','mcp','succeeded','{"status":"success","workflow_id":"wf-t9ausbq7"}',NULL,'2026-11-26T09:40:59.548Z','2026-11-26T09:40:59.548Z',2,'2026-11-26T09:40:59.548Z','2026-11-26T09:40:59.548Z','12687-1795686059370999840-6');
INSERT INTO "commands" VALUES(11,'wf-t9ausbq7',NULL,'complete','{"reason":"2 tasks done"}','engine','succeeded','{"status":"complete"}',NULL,'2026-11-26T09:40:59.589Z','2026-11-26T09:40:59.864Z',2,'2026-11-26T09:40:59.548Z','2026-11-26T09:40:59.864Z',NULL);
INSERT INTO "commands" VALUES(12,'wf-jbdylmom',NULL,'start','{}','user','succeeded','{"status":"running"}',NULL,'2026-11-26T09:41:11.979Z','2026-11-26T09:41:12.171Z',2,'2026-11-26T09:41:11.830Z','2026-11-26T09:41:12.171Z',NULL);
INSERT INTO "commands" VALUES(13,'wf-jbdylmom',3,'spawn_worker','{"agent_type":null,"provider":"builtin"}','mcp','succeeded','{"worker_id":"worker-1","provider":"builtin"}',NULL,'2026-11-26T09:41:18.597Z','2026-11-26T09:41:18.597Z',2,'2026-11-26T09:41:18.597Z','2026-11-26T09:41:18.597Z','13505-1795686072547922409-3');
INSERT INTO "commands" VALUES(14,'wf-jbdylmom',3,'assign_task','{"worker_id":"worker-1","task_id":"bad","summary":null}','mcp','succeeded','{"status":"assigned","task_id":"bad","worker_id":"worker-1"}',NULL,'2026-11-26T09:41:18.704Z','2026-11-26T09:41:18.704Z',2,'2026-11-26T09:41:18.704Z','2026-11-26T09:41:18.704Z','13505-1795686072547922409-4');
INSERT INTO "commands" VALUES(15,'wf-jbdylmom',4,'signal_ready','{}','mcp','succeeded','{"status":"acknowledged","worker_id":"worker-1"}',NULL,'2026-11-26T09:41:18.956Z','2026-11-26T09:41:18.956Z',2,'2026-11-26T09:41:18.956Z','2026-11-26T09:41:18.956Z','13882-1795686078938606968-1');
INSERT INTO "commands" VALUES(16,'wf-jbdylmom',4,'report_implementation_complete','{"summary":"exit 3","exit_code":3}','mcp','succeeded','{"status":"reported","task_id":"bad"}',NULL,'2026-11-26T09:41:19.016Z','2026-11-26T09:41:19.016Z',2,'2026-11-26T09:41:19.016Z','2026-11-26T09:41:19.016Z','13882-1795686078938606968-2');
INSERT INTO "commands" VALUES(17,'wf-jbdylmom',3,'mark_task_failed','{"task_id":"bad","reason":"exit 3"}','mcp','succeeded','{"status":"failed","task_id":"bad","skipped":["never"]}',NULL,'2026-11-26T09:41:19.324Z','2026-11-26T09:41:19.324Z',2,'2026-11-26T09:41:19.324Z','2026-11-26T09:41:19.324Z','13901-1795686079248332762-3');
INSERT INTO "commands" VALUES(18,'wf-jbdylmom',3,'signal_workflow_complete','{"status":"partial","summary":"1 of 2 tasks failed: bad"}','mcp','succeeded','{"status":"partial","workflow_id":"wf-jbdylmom"}',NULL,'2026-11-26T09:41:19.484Z','2026-11-26T09:41:19.484Z',2,'2026-11-26T09:41:19.484Z','2026-11-26T09:41:19.484Z','13901-1795686079248332762-6');
INSERT INTO "commands" VALUES(19,'wf-jbdylmom',NULL,'fail','{"reason":"1 of 2 tasks failed: bad"}','engine','succeeded','{"status":"fail"}',NULL,'2026-11-26T09:41:19.532Z','2026-11-26T09:41:19.837Z',2,'2026-11-26T09:41:19.484Z','2026-11-26T09:41:19.837Z',NULL);
INSERT INTO "commands" VALUES(20,'wf-8j8uqjzx',NULL,'start','{}','user','succeeded','{"status":"running"}',NULL,'2026-11-26T09:41:35.978Z','2026-11-26T09:41:36.149Z',2,'2026-11-26T09:41:30.021Z','2026-11-26T09:41:36.149Z',NULL);
INSERT INTO "commands" VALUES(21,'wf-8j8uqjzx',5,'spawn_worker','{"agent_type":null,"provider":"builtin"}','mcp','succeeded','{"worker_id":"worker-1","provider":"builtin"}',NULL,'2026-11-26T09:41:42.209Z','2026-11-26T09:41:42.209Z',2,'2026-11-26T09:41:42.209Z','2026-11-26T09:41:42.209Z','14756-1795686096432209982-3');
INSERT INTO "commands" VALUES(22,'wf-8j8uqjzx',5,'assign_task','{"worker_id":"worker-1","task_id":"build","summary":null}','mcp','succeeded','{"status":"assigned","task_id":"build","worker_id":"worker-1"}',NULL,'2026-11-26T09:41:42.340Z','2026-11-26T09:41:42.340Z',2,'2026-11-26T09:41:42.340Z','2026-11-26T09:41:42.340Z','14756-1795686096432209982-4');
INSERT INTO "commands" VALUES(23,'wf-8j8uqjzx',6,'signal_ready','{}','mcp','succeeded','{"status":"acknowledged","worker_id":"worker-1"}',NULL,'2026-11-26T09:41:42.872Z','2026-11-26T09:41:42.872Z',2,'2026-11-26T09:41:42.872Z','2026-11-26T09:41:42.872Z','15113-1795686102763586931-1');
INSERT INTO "commands" VALUES(24,'wf-8j8uqjzx',6,'report_implementation_complete','{"summary":"exit 0","exit_code":0}','mcp','succeeded','{"status":"reported","task_id":"build"}',NULL,'2026-11-26T09:41:42.959Z','2026-11-26T09:41:42.959Z',2,'2026-11-26T09:41:42.959Z','2026-11-26T09:41:42.959Z','15113-1795686102763586931-2');
INSERT INTO "commands" VALUES(25,'wf-8j8uqjzx',5,'mark_task_complete','{"task_id":"build"}','mcp','succeeded','{"status":"done","task_id":"build","now_ready":["ok"]}',NULL,'2026-11-26T09:41:43.301Z','2026-11-26T09:41:43.301Z',2,'2026-11-26T09:41:43.301Z','2026-11-26T09:41:43.301Z','15154-1795686103214080223-3');
INSERT INTO "commands" VALUES(26,'wf-8j8uqjzx',NULL,'pause','{}','user','succeeded','{"status":"paused"}',NULL,'2026-11-26T09:41:48.825Z','2026-11-26T09:41:49.058Z',2,'2026-11-26T09:41:48.581Z','2026-11-26T09:41:49.058Z',NULL);
CREATE TABLE cursors (
	name TEXT NOT NULL, 
	seq INTEGER NOT NULL, 
	created_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, 
	CONSTRAINT pk_cursors PRIMARY KEY (name)
);
INSERT INTO "cursors" VALUES('notify',5,'2026-11-26T09:40:51.294Z','2026-11-26T09:40:51.294Z');
CREATE TABLE engine (
	id INTEGER NOT NULL, 
	pid INTEGER NOT NULL, 
	host TEXT NOT NULL, 
	boot_id TEXT NOT NULL, 
	version TEXT NOT NULL, 
	started_at TEXT NOT NULL, 
	heartbeat_at TEXT NOT NULL, 
	ended_at TEXT, 
	created_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, 
	CONSTRAINT pk_engine PRIMARY KEY (id), 
	CONSTRAINT ck_engine_one_row CHECK (id = 1)
);
INSERT INTO "engine" VALUES(1,14446,'laptop','699d45a5-0bce-410d-a60c-89923a4b80f9','0.1.0','2026-11-26T09:41:35.633Z','2026-11-26T09:41:55.616Z','2026-11-26T09:41:56.645Z','2026-11-26T09:40:50.776Z','2026-11-26T09:41:56.645Z');
CREATE TABLE events (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	workflow_id TEXT, 
	agent_id INTEGER, 
	task_id INTEGER, 
	turn_id INTEGER, 
	type TEXT NOT NULL, 
	payload TEXT NOT NULL, 
	created_at TEXT NOT NULL, 
	CONSTRAINT fk_events_workflow_id_workflows FOREIGN KEY(workflow_id) REFERENCES workflows (id) ON DELETE CASCADE
);
INSERT INTO "events" VALUES(1,'wf-t9ausbq7',NULL,NULL,NULL,'workflow.created','{"v":1,"name":"release check","template":"pipeline","tasks":2}','2026-11-26T09:40:43.966Z');
INSERT INTO "events" VALUES(2,'wf-t9ausbq7',NULL,1,NULL,'task.created','{"v":1,"key":"lint","name":"lint","after":[]}','2026-11-26T09:40:43.966Z');
INSERT INTO "events" VALUES(3,'wf-t9ausbq7',NULL,2,NULL,'task.created','{"v":1,"key":"unit","name":"Unit tests","after":["lint"]}','2026-11-26T09:40:43.966Z');
INSERT INTO "events" VALUES(4,'wf-t9ausbq7',NULL,1,NULL,'task.ready','{"v":1,"from":"pending","to":"ready","trigger":"unblock"}','2026-11-26T09:40:43.966Z');
INSERT INTO "events" VALUES(5,NULL,NULL,NULL,NULL,'engine.started','{"v":1,"pid":11551,"version":"0.1.0"}','2026-11-26T09:40:50.776Z');
INSERT INTO "events" VALUES(6,'wf-t9ausbq7',NULL,NULL,NULL,'command.started','{"v":1,"from":"queued","to":"running","trigger":"run"}','2026-11-26T09:40:51.336Z');
INSERT INTO "events" VALUES(7,'wf-t9ausbq7',NULL,NULL,NULL,'resource.lease_granted','{"v":1,"kind":"workflow","value":null}','2026-11-26T09:40:51.466Z');
INSERT INTO "events" VALUES(8,'wf-t9ausbq7',NULL,NULL,NULL,'resource.lease_granted','{"v":1,"kind":"port","value":42000}','2026-11-26T09:40:51.466Z');
INSERT INTO "events" VALUES(9,'wf-t9ausbq7',1,NULL,NULL,'coordinator.spawned','{"v":1,"from":"pending","to":"ready","trigger":"spawn","name":"coordinator","provider":"builtin","model":null}','2026-11-26T09:40:51.466Z');
INSERT INTO "events" VALUES(10,'wf-t9ausbq7',NULL,NULL,NULL,'workflow.started','{"v":1,"from":"pending","to":"running","trigger":"start","port":42000}','2026-11-26T09:40:51.466Z');
INSERT INTO "events" VALUES(11,'wf-t9ausbq7',1,NULL,NULL,'coordinator.incoming','{"v":1,"from":"perles","kind":"system","text":"start: work off the tasks of release check","message":1}','2026-11-26T09:40:51.466Z');
INSERT INTO "events" VALUES(12,'wf-t9ausbq7',NULL,NULL,NULL,'command.succeeded','{"v":1,"from":"running","to":"succeeded","trigger":"succeed","kind":"start","status":"running"}','2026-11-26T09:40:51.626Z');
INSERT INTO "events" VALUES(13,'wf-t9ausbq7',1,NULL,1,'turn.starting','{"v":1,"from":"queued","to":"starting","trigger":"start","number":1,"messages":1}','2026-11-26T09:40:51.626Z');
INSERT INTO "events" VALUES(14,'wf-t9ausbq7',1,NULL,NULL,'agent.status_changed','{"v":1,"from":"ready","to":"working","trigger":"deliver","turn":1}','2026-11-26T09:40:51.626Z');
INSERT INTO "events" VALUES(15,'wf-t9ausbq7',1,NULL,1,'turn.started','{"v":1,"from":"starting","to":"running","trigger":"run","pid":12170}','2026-11-26T09:40:51.824Z');
INSERT INTO "events" VALUES(16,'wf-t9ausbq7',1,NULL,NULL,'command.started','{"v":1,"from":"queued","to":"running","trigger":"run"}','2026-11-26T09:40:58.168Z');
INSERT INTO "events" VALUES(17,'wf-t9ausbq7',2,NULL,NULL,'worker.spawned','{"v":1,"from":"pending","to":"ready","trigger":"spawn","name":"worker-1","provider":"builtin","model":null}','2026-11-26T09:40:58.168Z');
INSERT INTO "events" VALUES(18,'wf-t9ausbq7',2,NULL,NULL,'resource.lease_granted','{"v":1,"kind":"worker","value":null}','2026-11-26T09:40:58.168Z');
INSERT INTO "events" VALUES(19,'wf-t9ausbq7',1,NULL,NULL,'command.succeeded','{"v":1,"from":"running","to":"succeeded","trigger":"succeed","kind":"spawn_worker"}','2026-11-26T09:40:58.168Z');
INSERT INTO "events" VALUES(20,'wf-t9ausbq7',1,NULL,NULL,'command.started','{"v":1,"from":"queued","to":"running","trigger":"run"}','2026-11-26T09:40:58.252Z');
INSERT INTO "events" VALUES(21,'wf-t9ausbq7',NULL,1,NULL,'task.assigned','{"v":1,"from":"ready","to":"in_progress","trigger":"assign","key":"lint","worker":"worker-1","attempt":1}','2026-11-26T09:40:58.252Z');
INSERT INTO "events" VALUES(22,'wf-t9ausbq7',2,1,NULL,'agent.phase_changed','{"v":1,"from":"idle","to":"implementing","trigger":"implement"}','2026-11-26T09:40:58.252Z');
INSERT INTO "events" VALUES(23,'wf-t9ausbq7',2,NULL,NULL,'worker.incoming','{"v":1,"from":"coordinator","kind":"coordinator","text":"{\"task\": \"lint\", \"attempt\": 1, \"run\": \"echo lint\", \"env\": {\"LANG\": \"C.UTF-8\"}, \"timeout\": null}","message":2}','2026-11-26T09:40:58.252Z');
INSERT INTO "events" VALUES(24,'wf-t9ausbq7',1,NULL,NULL,'command.succeeded','{"v":1,"from":"running","to":"succeeded","trigger":"succeed","kind":"assign_task"}','2026-11-26T09:40:58.252Z');
INSERT INTO "events" VALUES(25,'wf-t9ausbq7',2,NULL,2,'turn.starting','{"v":1,"from":"queued","to":"starting","trigger":"start","number":1,"messages":1}','2026-11-26T09:40:58.326Z');
INSERT INTO "events" VALUES(26,'wf-t9ausbq7',2,NULL,NULL,'agent.status_changed','{"v":1,"from":"ready","to":"working","trigger":"deliver","turn":1}','2026-11-26T09:40:58.326Z');
INSERT INTO "events" VALUES(27,'wf-t9ausbq7',2,NULL,2,'turn.started','{"v":1,"from":"starting","to":"running","trigger":"run","pid":12630}','2026-11-26T09:40:58.370Z');
INSERT INTO "events" VALUES(28,'wf-t9ausbq7',1,NULL,1,'coordinator.output','{"v":1,"kind":"text","text":"assign_task lint worker-1"}','2026-11-26T09:40:58.370Z');
INSERT INTO "events" VALUES(29,'wf-t9ausbq7',1,NULL,1,'turn.succeeded','{"v":1,"from":"running","to":"succeeded","trigger":"succeed","number":1,"exit_code":0,"error":null}','2026-11-26T09:40:58.402Z');
INSERT INTO "events" VALUES(30,'wf-t9ausbq7',1,NULL,NULL,'agent.status_changed','{"v":1,"from":"working","to":"ready","trigger":"turn_ended"}','2026-11-26T09:40:58.402Z');
INSERT INTO "events" VALUES(31,'wf-t9ausbq7',2,NULL,NULL,'command.started','{"v":1,"from":"queued","to":"running","trigger":"run"}','2026-11-26T09:40:58.541Z');
INSERT INTO "events" VALUES(32,'wf-t9ausbq7',2,NULL,NULL,'worker.ready','{"v":1}','2026-11-26T09:40:58.541Z');
INSERT INTO "events" VALUES(33,'wf-t9ausbq7',2,NULL,NULL,'command.succeeded','{"v":1,"from":"running","to":"succeeded","trigger":"succeed","kind":"signal_ready"}','2026-11-26T09:40:58.541Z');
INSERT INTO "events" VALUES(34,'wf-t9ausbq7',2,NULL,NULL,'command.started','{"v":1,"from":"queued","to":"running","trigger":"run"}','2026-11-26T09:40:58.608Z');
INSERT INTO "events" VALUES(35,'wf-t9ausbq7',2,1,NULL,'agent.phase_changed','{"v":1,"from":"implementing","to":"awaiting_review","trigger":"report"}','2026-11-26T09:40:58.608Z');
INSERT INTO "events" VALUES(36,'wf-t9ausbq7',2,1,NULL,'task.reported','{"v":1,"key":"lint","exit_code":0,"text":"exit 0"}','2026-11-26T09:40:58.608Z');
INSERT INTO "events" VALUES(37,'wf-t9ausbq7',1,NULL,NULL,'coordinator.incoming','{"v":1,"from":"worker-1","kind":"worker","text":"worker-1 reports on task lint (exit 0): exit 0","message":3}','2026-11-26T09:40:58.608Z');
INSERT INTO "events" VALUES(38,'wf-t9ausbq7',2,NULL,NULL,'command.succeeded','{"v":1,"from":"running","to":"succeeded","trigger":"succeed","kind":"report_implementation_complete"}','2026-11-26T09:40:58.608Z');
INSERT INTO "events" VALUES(39,'wf-t9ausbq7',2,NULL,2,'worker.output','{"v":1,"kind":"text","text":"lint"}','2026-11-26T09:40:58.660Z');
INSERT INTO "events" VALUES(40,'wf-t9ausbq7',2,NULL,2,'turn.succeeded','{"v":1,"from":"running","to":"succeeded","trigger":"succeed","number":1,"exit_code":0,"error":null}','2026-11-26T09:40:58.680Z');
INSERT INTO "events" VALUES(41,'wf-t9ausbq7',2,NULL,NULL,'agent.status_changed','{"v":1,"from":"working","to":"ready","trigger":"turn_ended"}','2026-11-26T09:40:58.680Z');
INSERT INTO "events" VALUES(42,'wf-t9ausbq7',1,NULL,3,'turn.starting','{"v":1,"from":"queued","to":"starting","trigger":"start","number":2,"messages":1}','2026-11-26T09:40:58.680Z');
INSERT INTO "events" VALUES(43,'wf-t9ausbq7',1,NULL,NULL,'agent.status_changed','{"v":1,"from":"ready","to":"working","trigger":"deliver","turn":2}','2026-11-26T09:40:58.680Z');
INSERT INTO "events" VALUES(44,'wf-t9ausbq7',1,NULL,3,'turn.started','{"v":1,"from":"starting","to":"running","trigger":"run","pid":12651}','2026-11-26T09:40:58.713Z');
INSERT INTO "events" VALUES(45,'wf-t9ausbq7',1,NULL,NULL,'command.started','{"v":1,"from":"queued","to":"running","trigger":"run"}','2026-11-26T09:40:58.891Z');
INSERT INTO "events" VALUES(46,'wf-t9ausbq7',NULL,1,NULL,'task.completed','{"v":1,"from":"in_progress","to":"done","trigger":"complete","key":"lint","attempt":1}','2026-11-26T09:40:58.891Z');
INSERT INTO "events" VALUES(47,'wf-t9ausbq7',2,1,NULL,'agent.phase_changed','{"v":1,"from":"awaiting_review","to":"idle","trigger":"cancel"}','2026-11-26T09:40:58.891Z');
INSERT INTO "events" VALUES(48,'wf-t9ausbq7',NULL,2,NULL,'task.ready','{"v":1,"from":"pending","to":"ready","trigger":"unblock"}','2026-11-26T09:40:58.891Z');
INSERT INTO "events" VALUES(49,'wf-t9ausbq7',1,NULL,NULL,'command.succeeded','{"v":1,"from":"running","to":"succeeded","trigger":"succeed","kind":"mark_task_complete"}','2026-11-26T09:40:58.891Z');
INSERT INTO "events" VALUES(50,'wf-t9ausbq7',1,NULL,3,'coordinator.output','{"v":1,"kind":"text","text":"mark_task_complete lint"}','2026-11-26T09:40:58.995Z');
INSERT INTO "events" VALUES(51,'wf-t9ausbq7',1,NULL,NULL,'command.started','{"v":1,"from":"queued","to":"running","trigger":"run"}','2026-11-26T09:40:58.998Z');
INSERT INTO "events" VALUES(52,'wf-t9ausbq7',NULL,2,NULL,'task.assigned','{"v":1,"from":"ready","to":"in_progress","trigger":"assign","key":"unit","worker":"worker-1","attempt":1}','2026-11-26T09:40:58.998Z');
INSERT INTO "events" VALUES(53,'wf-t9ausbq7',2,2,NULL,'agent.phase_changed','{"v":1,"from":"idle","to":"implementing","trigger":"implement"}','2026-11-26T09:40:58.998Z');
INSERT INTO "events" VALUES(54,'wf-t9ausbq7',2,NULL,NULL,'worker.incoming','{"v":1,"from":"coordinator","kind":"coordinator","text":"{\"task\": \"unit\", \"attempt\": 1, \"run\": \"echo two lines; echo of tests\", \"env\": {\"LANG\": \"C.UTF-8\"}, \"timeout\": 600.0}","message":4}','2026-11-26T09:40:58.998Z');
INSERT INTO "events" VALUES(55,'wf-t9ausbq7',1,NULL,NULL,'command.succeeded','{"v":1,"from":"running","to":"succeeded","trigger":"succeed","kind":"assign_task"}','2026-11-26T09:40:58.998Z');
INSERT INTO "events" VALUES(56,'wf-t9ausbq7',2,NULL,4,'turn.starting','{"v":1,"from":"queued","to":"starting","trigger":"start","number":2,"messages":1}','2026-11-26T09:40:59.013Z');
INSERT INTO "events" VALUES(57,'wf-t9ausbq7',2,NULL,NULL,'agent.status_changed','{"v":1,"from":"ready","to":"working","trigger":"deliver","turn":2}','2026-11-26T09:40:59.013Z');
INSERT INTO "events" VALUES(58,'wf-t9ausbq7',2,NULL,4,'turn.started','{"v":1,"from":"starting","to":"running","trigger":"run","pid":12670}','2026-11-26T09:40:59.044Z');
INSERT INTO "events" VALUES(59,'wf-t9ausbq7',1,NULL,3,'coordinator.output','{"v":1,"kind":"text","text":"assign_task unit worker-1"}','2026-11-26T09:40:59.050Z');
INSERT INTO "events" VALUES(60,'wf-t9ausbq7',1,NULL,3,'turn.succeeded','{"v":1,"from":"running","to":"succeeded","trigger":"succeed","number":2,"exit_code":0,"error":null}','2026-11-26T09:40:59.054Z');
INSERT INTO "events" VALUES(61,'wf-t9ausbq7',1,NULL,NULL,'agent.status_changed','{"v":1,"from":"working","to":"ready","trigger":"turn_ended"}','2026-11-26T09:40:59.054Z');
INSERT INTO "events" VALUES(62,'wf-t9ausbq7',2,NULL,NULL,'command.started','{"v":1,"from":"queued","to":"running","trigger":"run"}','2026-11-26T09:40:59.148Z');
INSERT INTO "events" VALUES(63,'wf-t9ausbq7',2,2,NULL,'agent.phase_changed','{"v":1,"from":"implementing","to":"awaiting_review","trigger":"report"}','2026-11-26T09:40:59.148Z');
INSERT INTO "events" VALUES(64,'wf-t9ausbq7',2,2,NULL,'task.reported','{"v":1,"key":"unit","exit_code":0,"text":"exit 0"}','2026-11-26T09:40:59.148Z');
INSERT INTO "events" VALUES(65,'wf-t9ausbq7',1,NULL,NULL,'coordinator.incoming','{"v":1,"from":"worker-1","kind":"worker","text":"worker-1 reports on task unit (exit 0): exit 0","message":5}','2026-11-26T09:40:59.148Z');
INSERT INTO "events" VALUES(66,'wf-t9ausbq7',2,NULL,NULL,'command.succeeded','{"v":1,"from":"running","to":"succeeded","trigger":"succeed","kind":"report_implementation_complete"}','2026-11-26T09:40:59.148Z');
INSERT INTO "events" VALUES(67,'wf-t9ausbq7',1,NULL,5,'turn.starting','{"v":1,"from":"queued","to":"starting","trigger":"start","number":3,"messages":1}','2026-11-26T09:40:59.174Z');
INSERT INTO "events" VALUES(68,'wf-t9ausbq7',1,NULL,NULL,'agent.status_changed','{"v":1,"from":"ready","to":"working","trigger":"deliver","turn":3}','2026-11-26T09:40:59.174Z');
INSERT INTO "events" VALUES(69,'wf-t9ausbq7',1,NULL,5,'turn.started','{"v":1,"from":"starting","to":"running","trigger":"run","pid":12685}','2026-11-26T09:40:59.206Z');
INSERT INTO "events" VALUES(70,'wf-t9ausbq7',2,NULL,4,'worker.output','{"v":1,"kind":"text","text":"two lines\nof tests"}','2026-11-26T09:40:59.206Z');
INSERT INTO "events" VALUES(71,'wf-t9ausbq7',2,NULL,4,'turn.succeeded','{"v":1,"from":"running","to":"succeeded","trigger":"succeed","number":2,"exit_code":0,"error":null}','2026-11-26T09:40:59.228Z');
INSERT INTO "events" VALUES(72,'wf-t9ausbq7',2,NULL,NULL,'agent.status_changed','{"v":1,"from":"working","to":"ready","trigger":"turn_ended"}','2026-11-26T09:40:59.228Z');
INSERT INTO "events" VALUES(73,'wf-t9ausbq7',1,NULL,NULL,'command.started','{"v":1,"from":"queued","to":"running","trigger":"run"}','2026-11-26T09:40:59.444Z');
INSERT INTO "events" VALUES(74,'wf-t9ausbq7',NULL,2,NULL,'task.completed','{"v":1,"from":"in_progress","to":"done","trigger":"complete","key":"unit","attempt":1}','2026-11-26T09:40:59.444Z');
INSERT INTO "events" VALUES(75,'wf-t9ausbq7',2,2,NULL,'agent.phase_changed','{"v":1,"from":"awaiting_review","to":"idle","trigger":"cancel"}','2026-11-26T09:40:59.444Z');
INSERT INTO "events" VALUES(76,'wf-t9ausbq7',1,NULL,NULL,'command.succeeded','{"v":1,"from":"running","to":"succeeded","trigger":"succeed","kind":"mark_task_complete"}','2026-11-26T09:40:59.444Z');
INSERT INTO "events" VALUES(77,'wf-t9ausbq7',1,NULL,5,'coordinator.output','{"v":1,"kind":"text","text":"mark_task_complete unit"}','2026-11-26T09:40:59.531Z');
INSERT INTO "events" VALUES(78,'wf-t9ausbq7',1,NULL,NULL,'command.started','{"v":1,"from":"queued","to":"running","trigger":"run"}','2026-11-26T09:40:59.548Z');
INSERT INTO "events" VALUES(79,'wf-t9ausbq7',1,NULL,NULL,'command.succeeded','{"v":1,"from":"running","to":"succeeded","trigger":"succeed","kind":"signal_workflow_complete"}','2026-11-26T09:40:59.548Z');
INSERT INTO "events" VALUES(80,'wf-t9ausbq7',NULL,NULL,NULL,'command.started','{"v":1,"from":"queued","to":"running","trigger":"run"}','2026-11-26T09:40:59.599Z');
INSERT INTO "events" VALUES(81,'wf-t9ausbq7',1,NULL,5,'coordinator.output','{"v":1,"kind":"text","text":"2 tasks done"}','2026-11-26T09:40:59.628Z');
INSERT INTO "events" VALUES(82,'wf-t9ausbq7',1,NULL,5,'turn.succeeded','{"v":1,"from":"running","to":"succeeded","trigger":"succeed","number":3,"exit_code":0,"error":null}','2026-11-26T09:40:59.640Z');
INSERT INTO "events" VALUES(83,'wf-t9ausbq7',1,NULL,NULL,'agent.status_changed','{"v":1,"from":"working","to":"ready","trigger":"turn_ended"}','2026-11-26T09:40:59.640Z');
INSERT INTO "events" VALUES(84,'wf-t9ausbq7',NULL,NULL,NULL,'workflow.completed','{"v":1,"from":"running","to":"completed","trigger":"complete","reason":"2 tasks done"}','2026-11-26T09:40:59.812Z');
INSERT INTO "events" VALUES(85,'wf-t9ausbq7',1,NULL,NULL,'agent.status_changed','{"v":1,"from":"ready","to":"stopped","trigger":"stop"}','2026-11-26T09:40:59.812Z');
INSERT INTO "events" VALUES(86,'wf-t9ausbq7',2,NULL,NULL,'agent.status_changed','{"v":1,"from":"ready","to":"stopped","trigger":"stop"}','2026-11-26T09:40:59.812Z');
INSERT INTO "events" VALUES(87,'wf-t9ausbq7',NULL,NULL,NULL,'resource.lease_released','{"v":1,"kind":"workflow","value":null}','2026-11-26T09:40:59.812Z');
INSERT INTO "events" VALUES(88,'wf-t9ausbq7',NULL,NULL,NULL,'resource.lease_released','{"v":1,"kind":"port","value":42000}','2026-11-26T09:40:59.812Z');
INSERT INTO "events" VALUES(89,'wf-t9ausbq7',2,NULL,NULL,'resource.lease_released','{"v":1,"kind":"worker","value":null}','2026-11-26T09:40:59.812Z');
INSERT INTO "events" VALUES(90,'wf-t9ausbq7',NULL,NULL,NULL,'command.succeeded','{"v":1,"from":"running","to":"succeeded","trigger":"succeed","kind":"complete","status":"complete"}','2026-11-26T09:40:59.864Z');
INSERT INTO "events" VALUES(91,NULL,NULL,NULL,NULL,'engine.stopped','{"v":1,"pid":11551}','2026-11-26T09:41:00.402Z');
INSERT INTO "events" VALUES(92,'wf-jbdylmom',NULL,NULL,NULL,'workflow.created','{"v":1,"name":"broken","template":"pipeline","tasks":2}','2026-11-26T09:41:06.546Z');
INSERT INTO "events" VALUES(93,'wf-jbdylmom',NULL,3,NULL,'task.created','{"v":1,"key":"bad","name":"bad","after":[]}','2026-11-26T09:41:06.546Z');
INSERT INTO "events" VALUES(94,'wf-jbdylmom',NULL,4,NULL,'task.created','{"v":1,"key":"never","name":"never","after":["bad"]}','2026-11-26T09:41:06.546Z');
INSERT INTO "events" VALUES(95,'wf-jbdylmom',NULL,3,NULL,'task.ready','{"v":1,"from":"pending","to":"ready","trigger":"unblock"}','2026-11-26T09:41:06.546Z');
INSERT INTO "events" VALUES(96,NULL,NULL,NULL,NULL,'engine.started','{"v":1,"pid":13156,"version":"0.1.0"}','2026-11-26T09:41:11.566Z');
INSERT INTO "events" VALUES(97,'wf-jbdylmom',NULL,NULL,NULL,'command.started','{"v":1,"from":"queued","to":"running","trigger":"run"}','2026-11-26T09:41:11.992Z');
INSERT INTO "events" VALUES(98,'wf-jbdylmom',NULL,NULL,NULL,'resource.lease_granted','{"v":1,"kind":"workflow","value":null}','2026-11-26T09:41:12.107Z');
INSERT INTO "events" VALUES(99,'wf-jbdylmom',NULL,NULL,NULL,'resource.lease_granted','{"v":1,"kind":"port","value":42000}','2026-11-26T09:41:12.107Z');
INSERT INTO "events" VALUES(100,'wf-jbdylmom',3,NULL,NULL,'coordinator.spawned','{"v":1,"from":"pending","to":"ready","trigger":"spawn","name":"coordinator","provider":"builtin","model":null}','2026-11-26T09:41:12.107Z');
INSERT INTO "events" VALUES(101,'wf-jbdylmom',NULL,NULL,NULL,'workflow.started','{"v":1,"from":"pending","to":"running","trigger":"start","port":42000}','2026-11-26T09:41:12.107Z');
INSERT INTO "events" VALUES(102,'wf-jbdylmom',3,NULL,NULL,'coordinator.incoming','{"v":1,"from":"perles","kind":"system","text":"start: work off the tasks of broken","message":6}','2026-11-26T09:41:12.107Z');
INSERT INTO "events" VALUES(103,'wf-jbdylmom',NULL,NULL,NULL,'command.succeeded','{"v":1,"from":"running","to":"succeeded","trigger":"succeed","kind":"start","status":"running"}','2026-11-26T09:41:12.171Z');
INSERT INTO "events" VALUES(104,'wf-jbdylmom',3,NULL,6,'turn.starting','{"v":1,"from":"queued","to":"starting","trigger":"start","number":1,"messages":1}','2026-11-26T09:41:12.290Z');
INSERT INTO "events" VALUES(105,'wf-jbdylmom',3,NULL,NULL,'agent.status_changed','{"v":1,"from":"ready","to":"working","trigger":"deliver","turn":1}','2026-11-26T09:41:12.290Z');
INSERT INTO "events" VALUES(106,'wf-jbdylmom',3,NULL,6,'turn.started','{"v":1,"from":"starting","to":"running","trigger":"run","pid":13502}','2026-11-26T09:41:12.472Z');
INSERT INTO "events" VALUES(107,'wf-jbdylmom',3,NULL,NULL,'command.started','{"v":1,"from":"queued","to":"running","trigger":"run"}','2026-11-26T09:41:18.597Z');
INSERT INTO "events" VALUES(108,'wf-jbdylmom',4,NULL,NULL,'worker.spawned','{"v":1,"from":"pending","to":"ready","trigger":"spawn","name":"worker-1","provider":"builtin","model":null}','2026-11-26T09:41:18.597Z');
INSERT INTO "events" VALUES(109,'wf-jbdylmom',4,NULL,NULL,'resource.lease_granted','{"v":1,"kind":"worker","value":null}','2026-11-26T09:41:18.597Z');
INSERT INTO "events" VALUES(110,'wf-jbdylmom',3,NULL,NULL,'command.succeeded','{"v":1,"from":"running","to":"succeeded","trigger":"succeed","kind":"spawn_worker"}','2026-11-26T09:41:18.597Z');
INSERT INTO "events" VALUES(111,'wf-jbdylmom',3,NULL,NULL,'command.started','{"v":1,"from":"queued","to":"running","trigger":"run"}','2026-11-26T09:41:18.704Z');
INSERT INTO "events" VALUES(112,'wf-jbdylmom',NULL,3,NULL,'task.assigned','{"v":1,"from":"ready","to":"in_progress","trigger":"assign","key":"bad","worker":"worker-1","attempt":1}','2026-11-26T09:41:18.704Z');
INSERT INTO "events" VALUES(113,'wf-jbdylmom',4,3,NULL,'agent.phase_changed','{"v":1,"from":"idle","to":"implementing","trigger":"implement"}','2026-11-26T09:41:18.704Z');
INSERT INTO "events" VALUES(114,'wf-jbdylmom',4,NULL,NULL,'worker.incoming','{"v":1,"from":"coordinator","kind":"coordinator","text":"{\"task\": \"bad\", \"attempt\": 1, \"run\": \"echo oh no; exit 3\", \"env\": {}, \"timeout\": null}","message":7}','2026-11-26T09:41:18.704Z');
INSERT INTO "events" VALUES(115,'wf-jbdylmom',3,NULL,NULL,'command.succeeded','{"v":1,"from":"running","to":"succeeded","trigger":"succeed","kind":"assign_task"}','2026-11-26T09:41:18.704Z');
INSERT INTO "events" VALUES(116,'wf-jbdylmom',4,NULL,7,'turn.starting','{"v":1,"from":"queued","to":"starting","trigger":"start","number":1,"messages":1}','2026-11-26T09:41:18.772Z');
INSERT INTO "events" VALUES(117,'wf-jbdylmom',4,NULL,NULL,'agent.status_changed','{"v":1,"from":"ready","to":"working","trigger":"deliver","turn":1}','2026-11-26T09:41:18.772Z');
INSERT INTO "events" VALUES(118,'wf-jbdylmom',3,NULL,6,'coordinator.output','{"v":1,"kind":"text","text":"assign_task bad worker-1"}','2026-11-26T09:41:18.806Z');
INSERT INTO "events" VALUES(119,'wf-jbdylmom',4,NULL,7,'turn.started','{"v":1,"from":"starting","to":"running","trigger":"run","pid":13881}','2026-11-26T09:41:18.830Z');
INSERT INTO "events" VALUES(120,'wf-jbdylmom',3,NULL,6,'turn.succeeded','{"v":1,"from":"running","to":"succeeded","trigger":"succeed","number":1,"exit_code":0,"error":null}','2026-11-26T09:41:18.830Z');
INSERT INTO "events" VALUES(121,'wf-jbdylmom',3,NULL,NULL,'agent.status_changed','{"v":1,"from":"working","to":"ready","trigger":"turn_ended"}','2026-11-26T09:41:18.830Z');
INSERT INTO "events" VALUES(122,'wf-jbdylmom',4,NULL,NULL,'command.started','{"v":1,"from":"queued","to":"running","trigger":"run"}','2026-11-26T09:41:18.956Z');
INSERT INTO "events" VALUES(123,'wf-jbdylmom',4,NULL,NULL,'worker.ready','{"v":1}','2026-11-26T09:41:18.956Z');
INSERT INTO "events" VALUES(124,'wf-jbdylmom',4,NULL,NULL,'command.succeeded','{"v":1,"from":"running","to":"succeeded","trigger":"succeed","kind":"signal_ready"}','2026-11-26T09:41:18.956Z');
INSERT INTO "events" VALUES(125,'wf-jbdylmom',4,NULL,NULL,'command.started','{"v":1,"from":"queued","to":"running","trigger":"run"}','2026-11-26T09:41:19.016Z');
INSERT INTO "events" VALUES(126,'wf-jbdylmom',4,3,NULL,'agent.phase_changed','{"v":1,"from":"implementing","to":"awaiting_review","trigger":"report"}','2026-11-26T09:41:19.016Z');
INSERT INTO "events" VALUES(127,'wf-jbdylmom',4,3,NULL,'task.reported','{"v":1,"key":"bad","exit_code":3,"text":"exit 3"}','2026-11-26T09:41:19.016Z');
INSERT INTO "events" VALUES(128,'wf-jbdylmom',3,NULL,NULL,'coordinator.incoming','{"v":1,"from":"worker-1","kind":"worker","text":"worker-1 reports on task bad (exit 3): exit 3","message":8}','2026-11-26T09:41:19.016Z');
INSERT INTO "events" VALUES(129,'wf-jbdylmom',4,NULL,NULL,'command.succeeded','{"v":1,"from":"running","to":"succeeded","trigger":"succeed","kind":"report_implementation_complete"}','2026-11-26T09:41:19.016Z');
INSERT INTO "events" VALUES(130,'wf-jbdylmom',4,NULL,7,'worker.output','{"v":1,"kind":"text","text":"oh no"}','2026-11-26T09:41:19.080Z');
INSERT INTO "events" VALUES(131,'wf-jbdylmom',3,NULL,8,'turn.starting','{"v":1,"from":"queued","to":"starting","trigger":"start","number":2,"messages":1}','2026-11-26T09:41:19.090Z');
INSERT INTO "events" VALUES(132,'wf-jbdylmom',3,NULL,NULL,'agent.status_changed','{"v":1,"from":"ready","to":"working","trigger":"deliver","turn":2}','2026-11-26T09:41:19.090Z');
INSERT INTO "events" VALUES(133,'wf-jbdylmom',4,NULL,7,'turn.succeeded','{"v":1,"from":"running","to":"succeeded","trigger":"succeed","number":1,"exit_code":0,"error":null}','2026-11-26T09:41:19.120Z');
INSERT INTO "events" VALUES(134,'wf-jbdylmom',4,NULL,NULL,'agent.status_changed','{"v":1,"from":"working","to":"ready","trigger":"turn_ended"}','2026-11-26T09:41:19.120Z');
INSERT INTO "events" VALUES(135,'wf-jbdylmom',3,NULL,8,'turn.started','{"v":1,"from":"starting","to":"running","trigger":"run","pid":13900}','2026-11-26T09:41:19.138Z');
INSERT INTO "events" VALUES(136,'wf-jbdylmom',3,NULL,NULL,'command.started','{"v":1,"from":"queued","to":"running","trigger":"run"}','2026-11-26T09:41:19.324Z');
INSERT INTO "events" VALUES(137,'wf-jbdylmom',4,3,NULL,'agent.phase_changed','{"v":1,"from":"awaiting_review","to":"idle","trigger":"cancel"}','2026-11-26T09:41:19.324Z');
INSERT INTO "events" VALUES(138,'wf-jbdylmom',NULL,3,NULL,'task.failed','{"v":1,"from":"in_progress","to":"failed","trigger":"fail","key":"bad","attempt":1,"exit_code":3,"reason":"exit 3"}','2026-11-26T09:41:19.324Z');
INSERT INTO "events" VALUES(139,'wf-jbdylmom',NULL,4,NULL,'task.skipped','{"v":1,"from":"pending","to":"skipped","trigger":"skip","key":"never","because":"bad"}','2026-11-26T09:41:19.324Z');
INSERT INTO "events" VALUES(140,'wf-jbdylmom',3,NULL,NULL,'command.succeeded','{"v":1,"from":"running","to":"succeeded","trigger":"succeed","kind":"mark_task_failed"}','2026-11-26T09:41:19.324Z');
INSERT INTO "events" VALUES(141,'wf-jbdylmom',3,NULL,8,'coordinator.output','{"v":1,"kind":"text","text":"mark_task_failed bad exit 3"}','2026-11-26T09:41:19.438Z');
INSERT INTO "events" VALUES(142,'wf-jbdylmom',3,NULL,NULL,'command.started','{"v":1,"from":"queued","to":"running","trigger":"run"}','2026-11-26T09:41:19.484Z');
INSERT INTO "events" VALUES(143,'wf-jbdylmom',3,NULL,NULL,'command.succeeded','{"v":1,"from":"running","to":"succeeded","trigger":"succeed","kind":"signal_workflow_complete"}','2026-11-26T09:41:19.484Z');
INSERT INTO "events" VALUES(144,'wf-jbdylmom',NULL,NULL,NULL,'command.started','{"v":1,"from":"queued","to":"running","trigger":"run"}','2026-11-26T09:41:19.532Z');
INSERT INTO "events" VALUES(145,'wf-jbdylmom',3,NULL,8,'coordinator.output','{"v":1,"kind":"text","text":"1 of 2 tasks failed: bad"}','2026-11-26T09:41:19.580Z');
INSERT INTO "events" VALUES(146,'wf-jbdylmom',3,NULL,8,'turn.succeeded','{"v":1,"from":"running","to":"succeeded","trigger":"succeed","number":2,"exit_code":0,"error":null}','2026-11-26T09:41:19.600Z');
INSERT INTO "events" VALUES(147,'wf-jbdylmom',3,NULL,NULL,'agent.status_changed','{"v":1,"from":"working","to":"ready","trigger":"turn_ended"}','2026-11-26T09:41:19.600Z');
INSERT INTO "events" VALUES(148,'wf-jbdylmom',NULL,NULL,NULL,'workflow.failed','{"v":1,"from":"running","to":"failed","trigger":"fail","reason":"1 of 2 tasks failed: bad"}','2026-11-26T09:41:19.776Z');
INSERT INTO "events" VALUES(149,'wf-jbdylmom',3,NULL,NULL,'agent.status_changed','{"v":1,"from":"ready","to":"stopped","trigger":"stop"}','2026-11-26T09:41:19.776Z');
INSERT INTO "events" VALUES(150,'wf-jbdylmom',4,NULL,NULL,'agent.status_changed','{"v":1,"from":"ready","to":"stopped","trigger":"stop"}','2026-11-26T09:41:19.776Z');
INSERT INTO "events" VALUES(151,'wf-jbdylmom',NULL,NULL,NULL,'resource.lease_released','{"v":1,"kind":"workflow","value":null}','2026-11-26T09:41:19.776Z');
INSERT INTO "events" VALUES(152,'wf-jbdylmom',NULL,NULL,NULL,'resource.lease_released','{"v":1,"kind":"port","value":42000}','2026-11-26T09:41:19.776Z');
INSERT INTO "events" VALUES(153,'wf-jbdylmom',4,NULL,NULL,'resource.lease_released','{"v":1,"kind":"worker","value":null}','2026-11-26T09:41:19.776Z');
INSERT INTO "events" VALUES(154,'wf-jbdylmom',NULL,NULL,NULL,'command.succeeded','{"v":1,"from":"running","to":"succeeded","trigger":"succeed","kind":"fail","status":"fail"}','2026-11-26T09:41:19.837Z');
INSERT INTO "events" VALUES(155,NULL,NULL,NULL,NULL,'engine.stopped','{"v":1,"pid":13156}','2026-11-26T09:41:20.386Z');
INSERT INTO "events" VALUES(156,'wf-8j8uqjzx',NULL,NULL,NULL,'workflow.created','{"v":1,"name":"deploy","template":"pipeline","tasks":2}','2026-11-26T09:41:25.980Z');
INSERT INTO "events" VALUES(157,'wf-8j8uqjzx',NULL,5,NULL,'task.created','{"v":1,"key":"build","name":"build","after":[]}','2026-11-26T09:41:25.980Z');
INSERT INTO "events" VALUES(158,'wf-8j8uqjzx',NULL,6,NULL,'task.created','{"v":1,"key":"ok","name":"Deploy?","after":["build"]}','2026-11-26T09:41:25.980Z');
INSERT INTO "events" VALUES(159,'wf-8j8uqjzx',NULL,5,NULL,'task.ready','{"v":1,"from":"pending","to":"ready","trigger":"unblock"}','2026-11-26T09:41:25.980Z');
INSERT INTO "events" VALUES(160,NULL,NULL,NULL,NULL,'engine.started','{"v":1,"pid":14446,"version":"0.1.0"}','2026-11-26T09:41:35.633Z');
INSERT INTO "events" VALUES(161,'wf-8j8uqjzx',NULL,NULL,NULL,'command.started','{"v":1,"from":"queued","to":"running","trigger":"run"}','2026-11-26T09:41:35.987Z');
INSERT INTO "events" VALUES(162,'wf-8j8uqjzx',NULL,NULL,NULL,'resource.lease_granted','{"v":1,"kind":"workflow","value":null}','2026-11-26T09:41:36.101Z');
INSERT INTO "events" VALUES(163,'wf-8j8uqjzx',NULL,NULL,NULL,'resource.lease_granted','{"v":1,"kind":"port","value":42000}','2026-11-26T09:41:36.101Z');
INSERT INTO "events" VALUES(164,'wf-8j8uqjzx',5,NULL,NULL,'coordinator.spawned','{"v":1,"from":"pending","to":"ready","trigger":"spawn","name":"coordinator","provider":"builtin","model":null}','2026-11-26T09:41:36.101Z');
INSERT INTO "events" VALUES(165,'wf-8j8uqjzx',NULL,NULL,NULL,'workflow.started','{"v":1,"from":"pending","to":"running","trigger":"start","port":42000}','2026-11-26T09:41:36.101Z');
INSERT INTO "events" VALUES(166,'wf-8j8uqjzx',5,NULL,NULL,'coordinator.incoming','{"v":1,"from":"perles","kind":"system","text":"start: work off the tasks of deploy","message":9}','2026-11-26T09:41:36.101Z');
INSERT INTO "events" VALUES(167,'wf-8j8uqjzx',NULL,NULL,NULL,'command.succeeded','{"v":1,"from":"running","to":"succeeded","trigger":"succeed","kind":"start","status":"running"}','2026-11-26T09:41:36.149Z');
INSERT INTO "events" VALUES(168,'wf-8j8uqjzx',5,NULL,9,'turn.starting','{"v":1,"from":"queued","to":"starting","trigger":"start","number":1,"messages":1}','2026-11-26T09:41:36.201Z');
INSERT INTO "events" VALUES(169,'wf-8j8uqjzx',5,NULL,NULL,'agent.status_changed','{"v":1,"from":"ready","to":"working","trigger":"deliver","turn":1}','2026-11-26T09:41:36.201Z');
INSERT INTO "events" VALUES(170,'wf-8j8uqjzx',5,NULL,9,'turn.started','{"v":1,"from":"starting","to":"running","trigger":"run","pid":14755}','2026-11-26T09:41:36.332Z');
INSERT INTO "events" VALUES(171,'wf-8j8uqjzx',5,NULL,NULL,'command.started','{"v":1,"from":"queued","to":"running","trigger":"run"}','2026-11-26T09:41:42.209Z');
INSERT INTO "events" VALUES(172,'wf-8j8uqjzx',6,NULL,NULL,'worker.spawned','{"v":1,"from":"pending","to":"ready","trigger":"spawn","name":"worker-1","provider":"builtin","model":null}','2026-11-26T09:41:42.209Z');
INSERT INTO "events" VALUES(173,'wf-8j8uqjzx',6,NULL,NULL,'resource.lease_granted','{"v":1,"kind":"worker","value":null}','2026-11-26T09:41:42.209Z');
INSERT INTO "events" VALUES(174,'wf-8j8uqjzx',5,NULL,NULL,'command.succeeded','{"v":1,"from":"running","to":"succeeded","trigger":"succeed","kind":"spawn_worker"}','2026-11-26T09:41:42.209Z');
INSERT INTO "events" VALUES(175,'wf-8j8uqjzx',5,NULL,NULL,'command.started','{"v":1,"from":"queued","to":"running","trigger":"run"}','2026-11-26T09:41:42.340Z');
INSERT INTO "events" VALUES(176,'wf-8j8uqjzx',NULL,5,NULL,'task.assigned','{"v":1,"from":"ready","to":"in_progress","trigger":"assign","key":"build","worker":"worker-1","attempt":1}','2026-11-26T09:41:42.340Z');
INSERT INTO "events" VALUES(177,'wf-8j8uqjzx',6,5,NULL,'agent.phase_changed','{"v":1,"from":"idle","to":"implementing","trigger":"implement"}','2026-11-26T09:41:42.340Z');
INSERT INTO "events" VALUES(178,'wf-8j8uqjzx',6,NULL,NULL,'worker.incoming','{"v":1,"from":"coordinator","kind":"coordinator","text":"{\"task\": \"build\", \"attempt\": 1, \"run\": \"echo built\", \"env\": {}, \"timeout\": null}","message":10}','2026-11-26T09:41:42.340Z');
INSERT INTO "events" VALUES(179,'wf-8j8uqjzx',5,NULL,NULL,'command.succeeded','{"v":1,"from":"running","to":"succeeded","trigger":"succeed","kind":"assign_task"}','2026-11-26T09:41:42.340Z');
INSERT INTO "events" VALUES(180,'wf-8j8uqjzx',6,NULL,10,'turn.starting','{"v":1,"from":"queued","to":"starting","trigger":"start","number":1,"messages":1}','2026-11-26T09:41:42.510Z');
INSERT INTO "events" VALUES(181,'wf-8j8uqjzx',6,NULL,NULL,'agent.status_changed','{"v":1,"from":"ready","to":"working","trigger":"deliver","turn":1}','2026-11-26T09:41:42.510Z');
INSERT INTO "events" VALUES(182,'wf-8j8uqjzx',5,NULL,9,'coordinator.output','{"v":1,"kind":"text","text":"assign_task build worker-1"}','2026-11-26T09:41:42.554Z');
INSERT INTO "events" VALUES(183,'wf-8j8uqjzx',6,NULL,10,'turn.started','{"v":1,"from":"starting","to":"running","trigger":"run","pid":15110}','2026-11-26T09:41:42.588Z');
INSERT INTO "events" VALUES(184,'wf-8j8uqjzx',5,NULL,9,'turn.succeeded','{"v":1,"from":"running","to":"succeeded","trigger":"succeed","number":1,"exit_code":0,"error":null}','2026-11-26T09:41:42.597Z');
INSERT INTO "events" VALUES(185,'wf-8j8uqjzx',5,NULL,NULL,'agent.status_changed','{"v":1,"from":"working","to":"ready","trigger":"turn_ended"}','2026-11-26T09:41:42.597Z');
INSERT INTO "events" VALUES(186,'wf-8j8uqjzx',6,NULL,NULL,'command.started','{"v":1,"from":"queued","to":"running","trigger":"run"}','2026-11-26T09:41:42.872Z');
INSERT INTO "events" VALUES(187,'wf-8j8uqjzx',6,NULL,NULL,'worker.ready','{"v":1}','2026-11-26T09:41:42.872Z');
INSERT INTO "events" VALUES(188,'wf-8j8uqjzx',6,NULL,NULL,'command.succeeded','{"v":1,"from":"running","to":"succeeded","trigger":"succeed","kind":"signal_ready"}','2026-11-26T09:41:42.872Z');
INSERT INTO "events" VALUES(189,'wf-8j8uqjzx',6,NULL,NULL,'command.started','{"v":1,"from":"queued","to":"running","trigger":"run"}','2026-11-26T09:41:42.959Z');
INSERT INTO "events" VALUES(190,'wf-8j8uqjzx',6,5,NULL,'agent.phase_changed','{"v":1,"from":"implementing","to":"awaiting_review","trigger":"report"}','2026-11-26T09:41:42.959Z');
INSERT INTO "events" VALUES(191,'wf-8j8uqjzx',6,5,NULL,'task.reported','{"v":1,"key":"build","exit_code":0,"text":"exit 0"}','2026-11-26T09:41:42.959Z');
INSERT INTO "events" VALUES(192,'wf-8j8uqjzx',5,NULL,NULL,'coordinator.incoming','{"v":1,"from":"worker-1","kind":"worker","text":"worker-1 reports on task build (exit 0): exit 0","message":11}','2026-11-26T09:41:42.959Z');
INSERT INTO "events" VALUES(193,'wf-8j8uqjzx',6,NULL,NULL,'command.succeeded','{"v":1,"from":"running","to":"succeeded","trigger":"succeed","kind":"report_implementation_complete"}','2026-11-26T09:41:42.959Z');
INSERT INTO "events" VALUES(194,'wf-8j8uqjzx',6,NULL,10,'worker.output','{"v":1,"kind":"text","text":"built"}','2026-11-26T09:41:43.044Z');
INSERT INTO "events" VALUES(195,'wf-8j8uqjzx',6,NULL,10,'turn.succeeded','{"v":1,"from":"running","to":"succeeded","trigger":"succeed","number":1,"exit_code":0,"error":null}','2026-11-26T09:41:43.076Z');
INSERT INTO "events" VALUES(196,'wf-8j8uqjzx',6,NULL,NULL,'agent.status_changed','{"v":1,"from":"working","to":"ready","trigger":"turn_ended"}','2026-11-26T09:41:43.076Z');
INSERT INTO "events" VALUES(197,'wf-8j8uqjzx',5,NULL,11,'turn.starting','{"v":1,"from":"queued","to":"starting","trigger":"start","number":2,"messages":1}','2026-11-26T09:41:43.076Z');
INSERT INTO "events" VALUES(198,'wf-8j8uqjzx',5,NULL,NULL,'agent.status_changed','{"v":1,"from":"ready","to":"working","trigger":"deliver","turn":2}','2026-11-26T09:41:43.076Z');
INSERT INTO "events" VALUES(199,'wf-8j8uqjzx',5,NULL,11,'turn.started','{"v":1,"from":"starting","to":"running","trigger":"run","pid":15153}','2026-11-26T09:41:43.144Z');
INSERT INTO "events" VALUES(200,'wf-8j8uqjzx',5,NULL,NULL,'command.started','{"v":1,"from":"queued","to":"running","trigger":"run"}','2026-11-26T09:41:43.301Z');
INSERT INTO "events" VALUES(201,'wf-8j8uqjzx',NULL,5,NULL,'task.completed','{"v":1,"from":"in_progress","to":"done","trigger":"complete","key":"build","attempt":1}','2026-11-26T09:41:43.301Z');
INSERT INTO "events" VALUES(202,'wf-8j8uqjzx',6,5,NULL,'agent.phase_changed','{"v":1,"from":"awaiting_review","to":"idle","trigger":"cancel"}','2026-11-26T09:41:43.301Z');
INSERT INTO "events" VALUES(203,'wf-8j8uqjzx',NULL,6,NULL,'task.ready','{"v":1,"from":"pending","to":"ready","trigger":"unblock"}','2026-11-26T09:41:43.301Z');
INSERT INTO "events" VALUES(204,'wf-8j8uqjzx',NULL,6,NULL,'task.waiting_for_user','{"v":1,"from":"ready","to":"waiting_for_user","trigger":"ask","key":"ok","question":"approve deploy?"}','2026-11-26T09:41:43.301Z');
INSERT INTO "events" VALUES(205,'wf-8j8uqjzx',5,NULL,NULL,'command.succeeded','{"v":1,"from":"running","to":"succeeded","trigger":"succeed","kind":"mark_task_complete"}','2026-11-26T09:41:43.301Z');
INSERT INTO "events" VALUES(206,'wf-8j8uqjzx',5,NULL,11,'coordinator.output','{"v":1,"kind":"text","text":"mark_task_complete build"}','2026-11-26T09:41:43.480Z');
INSERT INTO "events" VALUES(207,'wf-8j8uqjzx',5,NULL,11,'turn.succeeded','{"v":1,"from":"running","to":"succeeded","trigger":"succeed","number":2,"exit_code":0,"error":null}','2026-11-26T09:41:43.519Z');
INSERT INTO "events" VALUES(208,'wf-8j8uqjzx',5,NULL,NULL,'agent.status_changed','{"v":1,"from":"working","to":"ready","trigger":"turn_ended"}','2026-11-26T09:41:43.519Z');
INSERT INTO "events" VALUES(209,'wf-8j8uqjzx',NULL,NULL,NULL,'command.started','{"v":1,"from":"queued","to":"running","trigger":"run"}','2026-11-26T09:41:48.825Z');
INSERT INTO "events" VALUES(210,'wf-8j8uqjzx',NULL,NULL,NULL,'workflow.paused','{"v":1,"from":"running","to":"paused","trigger":"pause","reason":null}','2026-11-26T09:41:48.986Z');
INSERT INTO "events" VALUES(211,'wf-8j8uqjzx',5,NULL,NULL,'agent.status_changed','{"v":1,"from":"ready","to":"paused","trigger":"pause"}','2026-11-26T09:41:48.986Z');
INSERT INTO "events" VALUES(212,'wf-8j8uqjzx',6,NULL,NULL,'agent.status_changed','{"v":1,"from":"ready","to":"paused","trigger":"pause"}','2026-11-26T09:41:48.986Z');
INSERT INTO "events" VALUES(213,'wf-8j8uqjzx',NULL,NULL,NULL,'resource.lease_released','{"v":1,"kind":"workflow","value":null}','2026-11-26T09:41:48.986Z');
INSERT INTO "events" VALUES(214,'wf-8j8uqjzx',NULL,NULL,NULL,'command.succeeded','{"v":1,"from":"running","to":"succeeded","trigger":"succeed","kind":"pause","status":"paused"}','2026-11-26T09:41:49.058Z');
INSERT INTO "events" VALUES(215,'wf-fdi3feob',NULL,NULL,NULL,'workflow.created','{"v":1,"name":"waits","template":"pipeline","tasks":2}','2026-11-26T09:41:54.603Z');
INSERT INTO "events" VALUES(216,'wf-fdi3feob',NULL,7,NULL,'task.created','{"v":1,"key":"lint","name":"lint","after":[]}','2026-11-26T09:41:54.603Z');
INSERT INTO "events" VALUES(217,'wf-fdi3feob',NULL,8,NULL,'task.created','{"v":1,"key":"unit","name":"Unit tests","after":["lint"]}','2026-11-26T09:41:54.603Z');
INSERT INTO "events" VALUES(218,'wf-fdi3feob',NULL,7,NULL,'task.ready','{"v":1,"from":"pending","to":"ready","trigger":"unblock"}','2026-11-26T09:41:54.603Z');
INSERT INTO "events" VALUES(219,NULL,NULL,NULL,NULL,'engine.stopped','{"v":1,"pid":14446}','2026-11-26T09:41:56.645Z');
CREATE TABLE inbox_acks (
	seq INTEGER NOT NULL, 
	created_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, 
	CONSTRAINT pk_inbox_acks PRIMARY KEY (seq), 
	CONSTRAINT fk_inbox_acks_seq_events FOREIGN KEY(seq) REFERENCES events (seq) ON DELETE CASCADE
);
CREATE TABLE leases (
	id INTEGER NOT NULL, 
	kind TEXT NOT NULL, 
	value INTEGER, 
	workflow_id TEXT NOT NULL, 
	agent_id INTEGER, 
	acquired_at TEXT NOT NULL, 
	created_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, 
	CONSTRAINT pk_leases PRIMARY KEY (id), 
	CONSTRAINT ck_leases_kind CHECK (kind IN ('workflow', 'worker', 'ai_call', 'port')), 
	CONSTRAINT fk_leases_agent_id_agents FOREIGN KEY(agent_id) REFERENCES agents (id) ON DELETE CASCADE, 
	CONSTRAINT fk_leases_workflow_id_workflows FOREIGN KEY(workflow_id) REFERENCES workflows (id) ON DELETE CASCADE
);
INSERT INTO "leases" VALUES(2,'port',42000,'wf-8j8uqjzx',NULL,'2026-11-26T09:41:36.101Z','2026-11-26T09:41:36.101Z','2026-11-26T09:41:36.101Z');
INSERT INTO "leases" VALUES(3,'worker',NULL,'wf-8j8uqjzx',6,'2026-11-26T09:41:42.209Z','2026-11-26T09:41:42.209Z','2026-11-26T09:41:42.209Z');
CREATE TABLE messages (
	id INTEGER NOT NULL, 
	agent_id INTEGER NOT NULL, 
	sender TEXT NOT NULL, 
	sender_kind TEXT NOT NULL, 
	body TEXT NOT NULL, 
	status TEXT DEFAULT 'queued' NOT NULL, 
	turn_id INTEGER, 
	created_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, 
	CONSTRAINT pk_messages PRIMARY KEY (id), 
	CONSTRAINT ck_messages_sender_kind CHECK (sender_kind IN ('user', 'coordinator', 'worker', 'system', 'reminder')), 
	CONSTRAINT ck_messages_status CHECK (status IN ('queued', 'delivered', 'done')), 
	CONSTRAINT fk_messages_agent_id_agents FOREIGN KEY(agent_id) REFERENCES agents (id) ON DELETE CASCADE, 
	CONSTRAINT fk_messages_turn_id_turns FOREIGN KEY(turn_id) REFERENCES turns (id) ON DELETE SET NULL
);
INSERT INTO "messages" VALUES(1,1,'perles','system','start: work off the tasks of release check','done',1,'2026-11-26T09:40:51.466Z','2026-11-26T09:40:58.402Z');
INSERT INTO "messages" VALUES(2,2,'coordinator','coordinator','{"task": "lint", "attempt": 1, "run": "echo lint", "env": {"LANG": "C.UTF-8"}, "timeout": null}','done',2,'2026-11-26T09:40:58.252Z','2026-11-26T09:40:58.608Z');
INSERT INTO "messages" VALUES(3,1,'worker-1','worker','worker-1 reports on task lint (exit 0): exit 0','done',3,'2026-11-26T09:40:58.608Z','2026-11-26T09:40:59.054Z');
INSERT INTO "messages" VALUES(4,2,'coordinator','coordinator','{"task": "unit", "attempt": 1, "run": "echo two lines; echo of tests", "env": {"LANG": "C.UTF-8"}, "timeout": 600.0}','done',4,'2026-11-26T09:40:58.998Z','2026-11-26T09:40:59.148Z');
INSERT INTO "messages" VALUES(5,1,'worker-1','worker','worker-1 reports on task unit (exit 0): exit 0','done',5,'2026-11-26T09:40:59.148Z','2026-11-26T09:40:59.640Z');
INSERT INTO "messages" VALUES(6,3,'perles','system','start: work off the tasks of broken','done',6,'2026-11-26T09:41:12.107Z','2026-11-26T09:41:18.830Z');
INSERT INTO "messages" VALUES(7,4,'coordinator','coordinator','{"task": "bad", "attempt": 1, "run": "echo oh no; exit 3", "env": {}, "timeout": null}','done',7,'2026-11-26T09:41:18.704Z','2026-11-26T09:41:19.016Z');
INSERT INTO "messages" VALUES(8,3,'worker-1','worker','worker-1 reports on task bad (exit 3): exit 3','done',8,'2026-11-26T09:41:19.016Z','2026-11-26T09:41:19.600Z');
INSERT INTO "messages" VALUES(9,5,'perles','system','start: work off the tasks of deploy','done',9,'2026-11-26T09:41:36.101Z','2026-11-26T09:41:42.597Z');
INSERT INTO "messages" VALUES(10,6,'coordinator','coordinator','{"task": "build", "attempt": 1, "run": "echo built", "env": {}, "timeout": null}','done',10,'2026-11-26T09:41:42.340Z','2026-11-26T09:41:42.959Z');
INSERT INTO "messages" VALUES(11,5,'worker-1','worker','worker-1 reports on task build (exit 0): exit 0','done',11,'2026-11-26T09:41:42.959Z','2026-11-26T09:41:43.519Z');
CREATE TABLE post_mentions (
	post_id INTEGER NOT NULL, 
	agent_id INTEGER NOT NULL, 
	created_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, 
	CONSTRAINT pk_post_mentions PRIMARY KEY (post_id, agent_id), 
	CONSTRAINT fk_post_mentions_agent_id_agents FOREIGN KEY(agent_id) REFERENCES agents (id) ON DELETE CASCADE, 
	CONSTRAINT fk_post_mentions_post_id_posts FOREIGN KEY(post_id) REFERENCES posts (id) ON DELETE CASCADE
);
CREATE TABLE posts (
	id INTEGER NOT NULL, 
	channel_id INTEGER NOT NULL, 
	parent_id INTEGER, 
	author TEXT NOT NULL, 
	kind TEXT DEFAULT 'info' NOT NULL, 
	body TEXT NOT NULL, 
	created_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, 
	CONSTRAINT pk_posts PRIMARY KEY (id), 
	CONSTRAINT ck_posts_kind CHECK (kind IN ('info', 'request', 'response', 'completion', 'error')), 
	CONSTRAINT fk_posts_channel_id_channels FOREIGN KEY(channel_id) REFERENCES channels (id) ON DELETE CASCADE, 
	CONSTRAINT fk_posts_parent_id_posts FOREIGN KEY(parent_id) REFERENCES posts (id) ON DELETE CASCADE
);
CREATE TABLE provider_holds (
	provider TEXT NOT NULL, 
	until TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	created_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, 
	CONSTRAINT pk_provider_holds PRIMARY KEY (provider)
);
CREATE TABLE resource_limits (
	resource TEXT NOT NULL, 
	value DOUBLE, 
	created_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, 
	CONSTRAINT pk_resource_limits PRIMARY KEY (resource)
);
INSERT INTO "resource_limits" VALUES('workflows',5.0,'2026-11-26T09:40:50.866Z','2026-11-26T09:41:35.816Z');
INSERT INTO "resource_limits" VALUES('workers',10.0,'2026-11-26T09:40:50.866Z','2026-11-26T09:41:35.816Z');
INSERT INTO "resource_limits" VALUES('ai_calls',5.0,'2026-11-26T09:40:50.866Z','2026-11-26T09:41:35.816Z');
INSERT INTO "resource_limits" VALUES('ports',11.0,'2026-11-26T09:40:50.866Z','2026-11-26T09:41:35.816Z');
INSERT INTO "resource_limits" VALUES('tokens',NULL,'2026-11-26T09:40:50.866Z','2026-11-26T09:41:35.816Z');
INSERT INTO "resource_limits" VALUES('cost_usd',NULL,'2026-11-26T09:40:50.866Z','2026-11-26T09:41:35.816Z');
CREATE TABLE subscriptions (
	agent_id INTEGER NOT NULL, 
	channel_id INTEGER NOT NULL, 
	mode TEXT NOT NULL, 
	created_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, 
	CONSTRAINT pk_subscriptions PRIMARY KEY (agent_id, channel_id), 
	CONSTRAINT ck_subscriptions_mode CHECK (mode IN ('all', 'mentions', 'none')), 
	CONSTRAINT fk_subscriptions_agent_id_agents FOREIGN KEY(agent_id) REFERENCES agents (id) ON DELETE CASCADE, 
	CONSTRAINT fk_subscriptions_channel_id_channels FOREIGN KEY(channel_id) REFERENCES channels (id) ON DELETE CASCADE
);
CREATE TABLE task_comments (
	id INTEGER NOT NULL, 
	task_id INTEGER NOT NULL, 
	author TEXT NOT NULL, 
	body TEXT NOT NULL, 
	created_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, 
	CONSTRAINT pk_task_comments PRIMARY KEY (id), 
	CONSTRAINT fk_task_comments_task_id_tasks FOREIGN KEY(task_id) REFERENCES tasks (id) ON DELETE CASCADE
);
CREATE TABLE task_dependencies (
	task_id INTEGER NOT NULL, 
	depends_on_id INTEGER NOT NULL, 
	created_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, 
	CONSTRAINT pk_task_dependencies PRIMARY KEY (task_id, depends_on_id), 
	CONSTRAINT fk_task_dependencies_depends_on_id_tasks FOREIGN KEY(depends_on_id) REFERENCES tasks (id) ON DELETE CASCADE, 
	CONSTRAINT fk_task_dependencies_task_id_tasks FOREIGN KEY(task_id) REFERENCES tasks (id) ON DELETE CASCADE
);
INSERT INTO "task_dependencies" VALUES(2,1,'2026-11-26T09:40:43.966Z','2026-11-26T09:40:43.966Z');
INSERT INTO "task_dependencies" VALUES(4,3,'2026-11-26T09:41:06.546Z','2026-11-26T09:41:06.546Z');
INSERT INTO "task_dependencies" VALUES(6,5,'2026-11-26T09:41:25.980Z','2026-11-26T09:41:25.980Z');
INSERT INTO "task_dependencies" VALUES(8,7,'2026-11-26T09:41:54.603Z','2026-11-26T09:41:54.603Z');
CREATE TABLE tasks (
	id INTEGER NOT NULL, 
	workflow_id TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	title TEXT NOT NULL, 
	body TEXT DEFAULT '' NOT NULL, 
	status TEXT NOT NULL, 
	assignee TEXT, 
	implementer_id INTEGER, 
	reviewer_id INTEGER, 
	run TEXT, 
	env TEXT DEFAULT '{}' NOT NULL, 
	timeout DOUBLE, 
	retries INTEGER DEFAULT '0' NOT NULL, 
	attempt INTEGER DEFAULT '0' NOT NULL, 
	exit_code INTEGER, 
	inputs TEXT DEFAULT '{}' NOT NULL, 
	outputs TEXT DEFAULT '{}' NOT NULL, 
	thread_post_id INTEGER, 
	failure TEXT, 
	started_at TEXT, 
	ended_at TEXT, 
	version INTEGER DEFAULT '0' NOT NULL, 
	created_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, worker TEXT, 
	CONSTRAINT pk_tasks PRIMARY KEY (id), 
	CONSTRAINT ck_tasks_status CHECK (status IN ('pending', 'ready', 'in_progress', 'in_review', 'approved', 'denied', 'committing', 'waiting_for_user', 'done', 'failed', 'skipped')), 
	CONSTRAINT ck_tasks_attempt_not_negative CHECK (attempt >= 0), 
	CONSTRAINT ck_tasks_retries_not_negative CHECK (retries >= 0), 
	CONSTRAINT fk_tasks_implementer_id_agents FOREIGN KEY(implementer_id) REFERENCES agents (id), 
	CONSTRAINT fk_tasks_reviewer_id_agents FOREIGN KEY(reviewer_id) REFERENCES agents (id), 
	CONSTRAINT fk_tasks_workflow_id_workflows FOREIGN KEY(workflow_id) REFERENCES workflows (id) ON DELETE CASCADE, 
	CONSTRAINT uq_tasks_workflow_id_key UNIQUE (workflow_id, "key")
);
INSERT INTO "tasks" VALUES(1,'wf-t9ausbq7','lint','lint','','done','worker-1',2,NULL,'echo lint','{"LANG":"C.UTF-8"}',NULL,0,1,0,'{}','{"summary":"exit 0","reported_attempt":1,"output":"lint","tail":["lint"]}',NULL,NULL,'2026-11-26T09:40:58.252Z','2026-11-26T09:40:58.891Z',3,'2026-11-26T09:40:43.966Z','2026-11-26T09:40:58.891Z',NULL);
INSERT INTO "tasks" VALUES(2,'wf-t9ausbq7','unit','Unit tests','','done','worker-1',2,NULL,'echo two lines; echo of tests','{"LANG":"C.UTF-8"}',600.0,1,1,0,'{}','{"summary":"exit 0","reported_attempt":1,"output":"two lines\nof tests","tail":["two lines","of tests"]}',NULL,NULL,'2026-11-26T09:40:58.998Z','2026-11-26T09:40:59.444Z',3,'2026-11-26T09:40:43.966Z','2026-11-26T09:40:59.444Z',NULL);
INSERT INTO "tasks" VALUES(3,'wf-jbdylmom','bad','bad','','failed','worker-1',4,NULL,'echo oh no; exit 3','{}',NULL,0,1,3,'{}','{"summary":"exit 3","reported_attempt":1,"output":"oh no","tail":["oh no"]}',NULL,'exit 3','2026-11-26T09:41:18.704Z','2026-11-26T09:41:19.324Z',3,'2026-11-26T09:41:06.546Z','2026-11-26T09:41:19.324Z',NULL);
INSERT INTO "tasks" VALUES(4,'wf-jbdylmom','never','never','','skipped',NULL,NULL,NULL,'echo never','{}',NULL,0,0,NULL,'{}','{}',NULL,'bad did not succeed',NULL,'2026-11-26T09:41:19.324Z',1,'2026-11-26T09:41:06.546Z','2026-11-26T09:41:19.324Z',NULL);
INSERT INTO "tasks" VALUES(5,'wf-8j8uqjzx','build','build','','done','worker-1',6,NULL,'echo built','{}',NULL,0,1,0,'{}','{"summary":"exit 0","reported_attempt":1,"output":"built","tail":["built"]}',NULL,NULL,'2026-11-26T09:41:42.340Z','2026-11-26T09:41:43.301Z',3,'2026-11-26T09:41:25.980Z','2026-11-26T09:41:43.301Z',NULL);
INSERT INTO "tasks" VALUES(6,'wf-8j8uqjzx','ok','Deploy?','approve deploy?','waiting_for_user','human',NULL,NULL,NULL,'{}',NULL,0,0,NULL,'{}','{}',NULL,NULL,'2026-11-26T09:41:43.301Z',NULL,2,'2026-11-26T09:41:25.980Z','2026-11-26T09:41:43.301Z',NULL);
INSERT INTO "tasks" VALUES(7,'wf-fdi3feob','lint','lint','','ready',NULL,NULL,NULL,'echo lint','{"LANG":"C.UTF-8"}',NULL,0,0,NULL,'{}','{}',NULL,NULL,NULL,NULL,1,'2026-11-26T09:41:54.603Z','2026-11-26T09:41:54.603Z',NULL);
INSERT INTO "tasks" VALUES(8,'wf-fdi3feob','unit','Unit tests','','pending',NULL,NULL,NULL,'echo two lines; echo of tests','{"LANG":"C.UTF-8"}',600.0,1,0,NULL,'{}','{}',NULL,NULL,NULL,NULL,0,'2026-11-26T09:41:54.603Z','2026-11-26T09:41:54.603Z',NULL);
CREATE TABLE totals (
	id INTEGER NOT NULL, 
	tokens INTEGER DEFAULT '0' NOT NULL, 
	cost_usd DOUBLE DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_totals PRIMARY KEY (id), 
	CONSTRAINT ck_totals_one_row CHECK (id = 1)
);
INSERT INTO "totals" VALUES(1,0,0.0);
CREATE TABLE turns (
	id INTEGER NOT NULL, 
	workflow_id TEXT NOT NULL, 
	agent_id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	status TEXT NOT NULL, 
	prompt TEXT NOT NULL, 
	pid INTEGER, 
	start_ticks INTEGER, 
	boot_id TEXT, 
	stdout_path TEXT NOT NULL, 
	stdout_offset INTEGER DEFAULT '0' NOT NULL, 
	stderr_path TEXT NOT NULL, 
	exit_code INTEGER, 
	outcome TEXT, 
	error_class TEXT, 
	error TEXT, 
	tokens_in INTEGER DEFAULT '0' NOT NULL, 
	tokens_out INTEGER DEFAULT '0' NOT NULL, 
	tokens_cached INTEGER DEFAULT '0' NOT NULL, 
	cost_usd DOUBLE DEFAULT '0' NOT NULL, 
	started_at TEXT, 
	ended_at TEXT, 
	version INTEGER DEFAULT '0' NOT NULL, 
	created_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, tokens_reserved INTEGER DEFAULT '0' NOT NULL, cost_reserved DOUBLE DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_turns PRIMARY KEY (id), 
	CONSTRAINT ck_turns_status CHECK (status IN ('queued', 'starting', 'running', 'succeeded', 'failed', 'interrupted', 'timed_out', 'lost')), 
	CONSTRAINT ck_turns_stdout_offset_not_negative CHECK (stdout_offset >= 0), 
	CONSTRAINT fk_turns_agent_id_agents FOREIGN KEY(agent_id) REFERENCES agents (id) ON DELETE CASCADE, 
	CONSTRAINT fk_turns_workflow_id_workflows FOREIGN KEY(workflow_id) REFERENCES workflows (id) ON DELETE CASCADE, 
	CONSTRAINT uq_turns_agent_id_number UNIQUE (agent_id, number)
);
INSERT INTO "turns" VALUES(1,'wf-t9ausbq7',1,1,'succeeded','{"from": "perles", "kind": "system", "body": "start: work off the tasks of release check"}
',12170,435566,'699d45a5-0bce-410d-a60c-89923a4b80f9','/home/me/.perles/sessions/oldwork/2026-11-26/wf-t9ausbq7/coordinator/turn-1.out',26,'/home/me/.perles/sessions/oldwork/2026-11-26/wf-t9ausbq7/coordinator/turn-1.err',0,'succeed',NULL,NULL,0,0,0,0.0,'2026-11-26T09:40:51.824Z','2026-11-26T09:40:58.402Z',3,'2026-11-26T09:40:51.626Z','2026-11-26T09:40:58.402Z',0,0.0);
INSERT INTO "turns" VALUES(2,'wf-t9ausbq7',2,1,'succeeded','{"from": "coordinator", "kind": "coordinator", "body": "{\"task\": \"lint\", \"attempt\": 1, \"run\": \"echo lint\", \"env\": {\"LANG\": \"C.UTF-8\"}, \"timeout\": null}"}
',12630,436223,'699d45a5-0bce-410d-a60c-89923a4b80f9','/home/me/.perles/sessions/oldwork/2026-11-26/wf-t9ausbq7/worker-1/turn-1.out',5,'/home/me/.perles/sessions/oldwork/2026-11-26/wf-t9ausbq7/worker-1/turn-1.err',0,'succeed',NULL,NULL,0,0,0,0.0,'2026-11-26T09:40:58.370Z','2026-11-26T09:40:58.680Z',3,'2026-11-26T09:40:58.326Z','2026-11-26T09:40:58.680Z',0,0.0);
INSERT INTO "turns" VALUES(3,'wf-t9ausbq7',1,2,'succeeded','{"from": "worker-1", "kind": "worker", "body": "worker-1 reports on task lint (exit 0): exit 0"}
',12651,436257,'699d45a5-0bce-410d-a60c-89923a4b80f9','/home/me/.perles/sessions/oldwork/2026-11-26/wf-t9ausbq7/coordinator/turn-2.out',50,'/home/me/.perles/sessions/oldwork/2026-11-26/wf-t9ausbq7/coordinator/turn-2.err',0,'succeed',NULL,NULL,0,0,0,0.0,'2026-11-26T09:40:58.713Z','2026-11-26T09:40:59.054Z',3,'2026-11-26T09:40:58.680Z','2026-11-26T09:40:59.054Z',0,0.0);
INSERT INTO "turns" VALUES(4,'wf-t9ausbq7',2,2,'succeeded','{"from": "coordinator", "kind": "coordinator", "body": "{\"task\": \"unit\", \"attempt\": 1, \"run\": \"echo two lines; echo of tests\", \"env\": {\"LANG\": \"C.UTF-8\"}, \"timeout\": 600.0}"}
',12670,436289,'699d45a5-0bce-410d-a60c-89923a4b80f9','/home/me/.perles/sessions/oldwork/2026-11-26/wf-t9ausbq7/worker-1/turn-2.out',19,'/home/me/.perles/sessions/oldwork/2026-11-26/wf-t9ausbq7/worker-1/turn-2.err',0,'succeed',NULL,NULL,0,0,0,0.0,'2026-11-26T09:40:59.044Z','2026-11-26T09:40:59.228Z',3,'2026-11-26T09:40:59.013Z','2026-11-26T09:40:59.228Z',0,0.0);
INSERT INTO "turns" VALUES(5,'wf-t9ausbq7',1,3,'succeeded','{"from": "worker-1", "kind": "worker", "body": "worker-1 reports on task unit (exit 0): exit 0"}
',12685,436306,'699d45a5-0bce-410d-a60c-89923a4b80f9','/home/me/.perles/sessions/oldwork/2026-11-26/wf-t9ausbq7/coordinator/turn-3.out',37,'/home/me/.perles/sessions/oldwork/2026-11-26/wf-t9ausbq7/coordinator/turn-3.err',0,'succeed',NULL,NULL,0,0,0,0.0,'2026-11-26T09:40:59.206Z','2026-11-26T09:40:59.640Z',3,'2026-11-26T09:40:59.174Z','2026-11-26T09:40:59.640Z',0,0.0);
INSERT INTO "turns" VALUES(6,'wf-jbdylmom',3,1,'succeeded','{"from": "perles", "kind": "system", "body": "start: work off the tasks of broken"}
',13502,437632,'699d45a5-0bce-410d-a60c-89923a4b80f9','/home/me/.perles/sessions/oldwork/2026-11-26/wf-jbdylmom/coordinator/turn-1.out',25,'/home/me/.perles/sessions/oldwork/2026-11-26/wf-jbdylmom/coordinator/turn-1.err',0,'succeed',NULL,NULL,0,0,0,0.0,'2026-11-26T09:41:12.472Z','2026-11-26T09:41:18.830Z',3,'2026-11-26T09:41:12.290Z','2026-11-26T09:41:18.830Z',0,0.0);
INSERT INTO "turns" VALUES(7,'wf-jbdylmom',4,1,'succeeded','{"from": "coordinator", "kind": "coordinator", "body": "{\"task\": \"bad\", \"attempt\": 1, \"run\": \"echo oh no; exit 3\", \"env\": {}, \"timeout\": null}"}
',13881,438269,'699d45a5-0bce-410d-a60c-89923a4b80f9','/home/me/.perles/sessions/oldwork/2026-11-26/wf-jbdylmom/worker-1/turn-1.out',6,'/home/me/.perles/sessions/oldwork/2026-11-26/wf-jbdylmom/worker-1/turn-1.err',0,'succeed',NULL,NULL,0,0,0,0.0,'2026-11-26T09:41:18.830Z','2026-11-26T09:41:19.120Z',3,'2026-11-26T09:41:18.772Z','2026-11-26T09:41:19.120Z',0,0.0);
INSERT INTO "turns" VALUES(8,'wf-jbdylmom',3,2,'succeeded','{"from": "worker-1", "kind": "worker", "body": "worker-1 reports on task bad (exit 3): exit 3"}
',13900,438299,'699d45a5-0bce-410d-a60c-89923a4b80f9','/home/me/.perles/sessions/oldwork/2026-11-26/wf-jbdylmom/coordinator/turn-2.out',53,'/home/me/.perles/sessions/oldwork/2026-11-26/wf-jbdylmom/coordinator/turn-2.err',0,'succeed',NULL,NULL,0,0,0,0.0,'2026-11-26T09:41:19.138Z','2026-11-26T09:41:19.600Z',3,'2026-11-26T09:41:19.090Z','2026-11-26T09:41:19.600Z',0,0.0);
INSERT INTO "turns" VALUES(9,'wf-8j8uqjzx',5,1,'succeeded','{"from": "perles", "kind": "system", "body": "start: work off the tasks of deploy"}
',14755,440018,'699d45a5-0bce-410d-a60c-89923a4b80f9','/home/me/.perles/sessions/oldwork/2026-11-26/wf-8j8uqjzx/coordinator/turn-1.out',27,'/home/me/.perles/sessions/oldwork/2026-11-26/wf-8j8uqjzx/coordinator/turn-1.err',0,'succeed',NULL,NULL,0,0,0,0.0,'2026-11-26T09:41:36.332Z','2026-11-26T09:41:42.597Z',3,'2026-11-26T09:41:36.201Z','2026-11-26T09:41:42.597Z',0,0.0);
INSERT INTO "turns" VALUES(10,'wf-8j8uqjzx',6,1,'succeeded','{"from": "coordinator", "kind": "coordinator", "body": "{\"task\": \"build\", \"attempt\": 1, \"run\": \"echo built\", \"env\": {}, \"timeout\": null}"}
',15110,440644,'699d45a5-0bce-410d-a60c-89923a4b80f9','/home/me/.perles/sessions/oldwork/2026-11-26/wf-8j8uqjzx/worker-1/turn-1.out',6,'/home/me/.perles/sessions/oldwork/2026-11-26/wf-8j8uqjzx/worker-1/turn-1.err',0,'succeed',NULL,NULL,0,0,0,0.0,'2026-11-26T09:41:42.588Z','2026-11-26T09:41:43.076Z',3,'2026-11-26T09:41:42.510Z','2026-11-26T09:41:43.076Z',0,0.0);
INSERT INTO "turns" VALUES(11,'wf-8j8uqjzx',5,2,'succeeded','{"from": "worker-1", "kind": "worker", "body": "worker-1 reports on task build (exit 0): exit 0"}
',15153,440697,'699d45a5-0bce-410d-a60c-89923a4b80f9','/home/me/.perles/sessions/oldwork/2026-11-26/wf-8j8uqjzx/coordinator/turn-2.out',25,'/home/me/.perles/sessions/oldwork/2026-11-26/wf-8j8uqjzx/coordinator/turn-2.err',0,'succeed',NULL,NULL,0,0,0,0.0,'2026-11-26T09:41:43.144Z','2026-11-26T09:41:43.519Z',3,'2026-11-26T09:41:43.076Z','2026-11-26T09:41:43.519Z',0,0.0);
CREATE TABLE workflow_labels (
	workflow_id TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	created_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, 
	CONSTRAINT pk_workflow_labels PRIMARY KEY (workflow_id, "key"), 
	CONSTRAINT fk_workflow_labels_workflow_id_workflows FOREIGN KEY(workflow_id) REFERENCES workflows (id) ON DELETE CASCADE
);
INSERT INTO "workflow_labels" VALUES('wf-t9ausbq7','team','red','2026-11-26T09:40:43.966Z','2026-11-26T09:40:43.966Z');
CREATE TABLE workflows (
	id TEXT NOT NULL, 
	template_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	state TEXT NOT NULL, 
	priority INTEGER DEFAULT '1' NOT NULL, 
	work_dir TEXT NOT NULL, 
	goal TEXT DEFAULT '' NOT NULL, 
	args TEXT DEFAULT '{}' NOT NULL, 
	definition TEXT DEFAULT '{}' NOT NULL, 
	provider TEXT DEFAULT 'builtin' NOT NULL, 
	max_workers INTEGER DEFAULT '2' NOT NULL, 
	worktree_enabled INTEGER DEFAULT '0' NOT NULL, 
	base_branch TEXT, 
	branch TEXT, 
	worktree_path TEXT, 
	token_budget INTEGER DEFAULT '0' NOT NULL, 
	tokens_used INTEGER DEFAULT '0' NOT NULL, 
	cost_usd DOUBLE DEFAULT '0' NOT NULL, 
	mcp_port INTEGER, 
	session_dir TEXT, 
	started_at TEXT, 
	paused_at TEXT, 
	ended_at TEXT, 
	start_requested_at TEXT, 
	archived_at TEXT, 
	health TEXT DEFAULT 'unknown' NOT NULL, 
	last_heartbeat_at TEXT, 
	last_progress_at TEXT, 
	recovery_count INTEGER DEFAULT '0' NOT NULL, 
	last_recovery_at TEXT, 
	waiting_for_user INTEGER DEFAULT '0' NOT NULL, 
	reason TEXT, 
	retried_from TEXT, 
	version INTEGER DEFAULT '0' NOT NULL, 
	created_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, model TEXT, worker_provider TEXT, worker_model TEXT, cost_budget DOUBLE DEFAULT 0 NOT NULL CONSTRAINT ck_workflows_cost_budget_not_negative CHECK (cost_budget >= 0), start_rank DOUBLE GENERATED ALWAYS AS (CASE WHEN state = 'pending' THEN julianday(start_requested_at) - priority * 10.0 / 1440 END) VIRTUAL, worker_requested_at TEXT, worker_offered_at TEXT, 
	CONSTRAINT pk_workflows PRIMARY KEY (id), 
	CONSTRAINT ck_workflows_health CHECK (health IN ('unknown', 'healthy', 'degraded', 'stuck')), 
	CONSTRAINT ck_workflows_state CHECK (state IN ('pending', 'running', 'paused', 'completed', 'failed', 'stopped')), 
	CONSTRAINT ck_workflows_cost_usd_not_negative CHECK (cost_usd >= 0), 
	CONSTRAINT ck_workflows_priority CHECK (priority BETWEEN 0 AND 2), 
	CONSTRAINT ck_workflows_token_budget_not_negative CHECK (token_budget >= 0), 
	CONSTRAINT ck_workflows_tokens_used_not_negative CHECK (tokens_used >= 0), 
	CONSTRAINT fk_workflows_retried_from_workflows FOREIGN KEY(retried_from) REFERENCES workflows (id)
);
INSERT INTO "workflows" VALUES('wf-t9ausbq7','pipeline','release check','completed',2,'/home/me/work','','{"file":"p.yaml"}','{"source":"/home/me/work/p.yaml","sha256":"37f606161b0f72b253a62863c025627461e5363d5cb6be575278bedd222945b5","pipeline":{"name":"release check","workers":"2","env":{"LANG":"C.UTF-8"},"tasks":[{"key":"lint","run":"echo lint"},{"key":"unit","name":"Unit tests","run":"echo two lines; echo of tests","after":["lint"],"retries":"1","timeout":"10m"}]}}','builtin',2,0,NULL,NULL,NULL,0,0,0.0,42000,'/home/me/.perles/sessions/oldwork/2026-11-26/wf-t9ausbq7','2026-11-26T09:40:51.466Z',NULL,'2026-11-26T09:40:59.812Z',NULL,NULL,'unknown',NULL,NULL,0,NULL,0,'2 tasks done',NULL,2,'2026-11-26T09:40:43.966Z','2026-11-26T09:40:59.812Z',NULL,'builtin',NULL,0.0,NULL,NULL);
INSERT INTO "workflows" VALUES('wf-jbdylmom','pipeline','broken','failed',1,'/home/me/work','','{"file":"f.yaml"}','{"source":"/home/me/work/f.yaml","sha256":"c32609f446a4303eecd70879e204a9bc4c5508c0c32af9218be137fff0f6fcfa","pipeline":{"name":"broken","tasks":[{"key":"bad","run":"echo oh no; exit 3"},{"key":"never","run":"echo never","after":["bad"]}]}}','builtin',2,0,NULL,NULL,NULL,0,0,0.0,42000,'/home/me/.perles/sessions/oldwork/2026-11-26/wf-jbdylmom','2026-11-26T09:41:12.107Z',NULL,'2026-11-26T09:41:19.776Z',NULL,NULL,'unknown',NULL,NULL,0,NULL,0,'1 of 2 tasks failed: bad',NULL,2,'2026-11-26T09:41:06.546Z','2026-11-26T09:41:19.776Z',NULL,'builtin',NULL,0.0,NULL,NULL);
INSERT INTO "workflows" VALUES('wf-8j8uqjzx','pipeline','deploy','paused',1,'/home/me/work','','{"file":"h.yaml"}','{"source":"/home/me/work/h.yaml","sha256":"0f335b06b7c2f39f6dd684b9b2f731dad7882530e190816446670817889bef74","pipeline":{"name":"deploy","tasks":[{"key":"build","run":"echo built"},{"key":"ok","name":"Deploy?","assignee":"human","question":"approve deploy?","after":["build"]}]}}','builtin',2,0,NULL,NULL,NULL,0,0,0.0,42000,'/home/me/.perles/sessions/oldwork/2026-11-26/wf-8j8uqjzx','2026-11-26T09:41:36.101Z','2026-11-26T09:41:48.986Z',NULL,NULL,NULL,'healthy',NULL,NULL,0,NULL,1,NULL,NULL,2,'2026-11-26T09:41:25.980Z','2026-11-26T09:41:48.986Z',NULL,'builtin',NULL,0.0,NULL,NULL);
INSERT INTO "workflows" VALUES('wf-fdi3feob','pipeline','waits','pending',1,'/home/me/work','','{"file":"p.yaml"}','{"source":"/home/me/work/p.yaml","sha256":"37f606161b0f72b253a62863c025627461e5363d5cb6be575278bedd222945b5","pipeline":{"name":"release check","workers":"2","env":{"LANG":"C.UTF-8"},"tasks":[{"key":"lint","run":"echo lint"},{"key":"unit","name":"Unit tests","run":"echo two lines; echo of tests","after":["lint"],"retries":"1","timeout":"10m"}]}}','builtin',2,0,NULL,NULL,NULL,0,0,0.0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'unknown',NULL,NULL,0,NULL,0,NULL,NULL,0,'2026-11-26T09:41:54.603Z','2026-11-26T09:41:54.603Z',NULL,'builtin',NULL,0.0,NULL,NULL);
CREATE INDEX ix_workflows_created_at_id ON workflows (created_at, id);
CREATE INDEX ix_workflows_name ON workflows (name);
CREATE INDEX ix_workflows_open ON workflows (created_at, id) WHERE archived_at IS NULL;
CREATE INDEX ix_workflows_state_created_at_id ON workflows (state, created_at, id);
CREATE INDEX ix_agents_status ON agents (status);
CREATE INDEX ix_agents_token ON agents (token);
CREATE INDEX ix_events_workflow_id_seq ON events (workflow_id, seq);
CREATE INDEX ix_workflow_labels_key_value ON workflow_labels ("key", value);
CREATE INDEX ix_commands_queued ON commands (id) WHERE status = 'queued';
CREATE INDEX ix_commands_workflow_id ON commands (workflow_id);
CREATE UNIQUE INDEX uq_leases_agent ON leases (kind, agent_id) WHERE agent_id IS NOT NULL;
CREATE UNIQUE INDEX uq_leases_port ON leases (value) WHERE kind = 'port';
CREATE UNIQUE INDEX uq_leases_workflow ON leases (kind, workflow_id) WHERE agent_id IS NULL;
CREATE INDEX ix_posts_channel_id ON posts (channel_id);
CREATE INDEX ix_posts_parent_id ON posts (parent_id);
CREATE INDEX ix_turns_open ON turns (status) WHERE status IN ('queued', 'starting', 'running');
CREATE INDEX ix_turns_workflow_id ON turns (workflow_id);
CREATE INDEX ix_artifacts_post_id ON artifacts (post_id);
CREATE INDEX ix_messages_agent_id_status ON messages (agent_id, status);
CREATE INDEX ix_task_comments_task_id ON task_comments (task_id);
CREATE INDEX ix_task_dependencies_depends_on_id ON task_dependencies (depends_on_id);
CREATE VIEW recent_events AS 
SELECT e.seq, e.created_at AS at, e.type, e.workflow_id, a.name AS agent, k.key AS task,
    e.turn_id AS turn, e.payload
FROM events e
LEFT JOIN agents a ON a.id = e.agent_id
LEFT JOIN tasks k ON k.id = e.task_id
ORDER BY e.seq DESC LIMIT 200;
CREATE UNIQUE INDEX uq_commands_request ON commands (agent_id, request_key) WHERE request_key IS NOT NULL;
CREATE INDEX ix_workflows_queue ON workflows (start_rank, id) WHERE start_rank IS NOT NULL;
CREATE VIEW workflow_overview AS 
SELECT
    w.id, w.name, w.template_id, w.state, w.priority, w.health, w.reason,
    (SELECT count(*) FROM agents a WHERE a.workflow_id = w.id AND a.role = 'worker'
        AND a.status IN ('pending', 'ready', 'working', 'paused')) AS workers,
    (SELECT count(*) FROM tasks t WHERE t.workflow_id = w.id) AS tasks_total,
    (SELECT count(*) FROM tasks t WHERE t.workflow_id = w.id AND t.status = 'done') AS tasks_done,
    (SELECT count(*) FROM tasks t WHERE t.workflow_id = w.id AND t.status = 'failed')
        AS tasks_failed,
    w.tokens_used, w.token_budget, w.cost_usd, w.cost_budget, w.mcp_port, w.work_dir, w.branch,
    w.provider, w.created_at, w.started_at, w.ended_at, w.start_requested_at, w.archived_at,
    w.last_heartbeat_at, w.last_progress_at, w.session_dir,
    CASE WHEN w.started_at IS NULL THEN NULL ELSE CAST(
        strftime('%s', coalesce(w.ended_at, 'now')) - strftime('%s', w.started_at) AS INTEGER)
    END AS uptime_s,
    CASE
        WHEN w.waiting_for_user THEN 'waiting for you'
        WHEN w.health IN ('degraded', 'stuck') AND w.state = 'running' THEN w.health
        WHEN w.state = 'failed' THEN 'failed'
    END AS attention
FROM workflows w;
CREATE VIEW running_workflows AS SELECT * FROM workflow_overview WHERE state = 'running';
CREATE VIEW agent_overview AS 
SELECT
    a.id, a.workflow_id, a.name, a.role, a.agent_type, a.provider, a.model, a.status, a.phase,
    k.key AS task, t.pid, t.number AS turn, t.status AS turn_status,
    a.tokens_in, a.tokens_out, a.tokens_cached, a.context_used, a.context_window, a.cost_usd,
    a.last_activity_at, a.created_at, a.retired_at,
    (SELECT count(*) FROM messages m WHERE m.agent_id = a.id AND m.status = 'queued') AS queued
FROM agents a
LEFT JOIN tasks k ON k.id = a.task_id
LEFT JOIN turns t ON t.agent_id = a.id AND t.status IN ('queued', 'starting', 'running');
CREATE VIEW start_queue AS 
SELECT id, name, priority, start_requested_at,
    row_number() OVER (ORDER BY start_rank, id) AS place
FROM workflows WHERE start_rank IS NOT NULL;
CREATE VIEW resource_usage AS 
SELECT 'workflows' AS resource,
    (SELECT value FROM resource_limits WHERE resource = 'workflows') AS "limit",
    (SELECT count(*) FROM leases WHERE kind = 'workflow') AS used,
    (SELECT count(*) FROM workflows WHERE start_rank IS NOT NULL) AS waiting
UNION ALL SELECT 'workers',
    (SELECT value FROM resource_limits WHERE resource = 'workers'),
    (SELECT count(*) FROM leases WHERE kind = 'worker'),
    (SELECT count(*) FROM workflows WHERE state = 'running' AND worker_requested_at IS NOT NULL)
UNION ALL SELECT 'ai_calls',
    (SELECT value FROM resource_limits WHERE resource = 'ai_calls'),
    (SELECT count(*) FROM leases WHERE kind = 'ai_call'),
    (SELECT count(*) FROM turns WHERE status = 'queued')
UNION ALL SELECT 'ports',
    (SELECT value FROM resource_limits WHERE resource = 'ports'),
    (SELECT count(*) FROM leases WHERE kind = 'port'),
    0
UNION ALL SELECT 'tokens',
    (SELECT value FROM resource_limits WHERE resource = 'tokens'),
    (SELECT tokens FROM totals), 0
UNION ALL SELECT 'cost_usd',
    (SELECT value FROM resource_limits WHERE resource = 'cost_usd'),
    (SELECT cost_usd FROM totals), 0;
CREATE INDEX ix_events_inbox ON events (type, seq) WHERE type IN ('user.notification', 'resource.budget_warning', 'health.stuck', 'workflow.failed');
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('events',219);
COMMIT;
