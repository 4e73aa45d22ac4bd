-- What the migrations make of an empty database, up to revision 0035 (make statements)
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE cursors (
	name TEXT NOT NULL, 
	seq INTEGER NOT NULL, 
	created_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, 
	CONSTRAINT pk_cursors PRIMARY KEY (name)
);
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
	updated_at TEXT NOT NULL, clock_offset DOUBLE, start_ticks INTEGER, 
	CONSTRAINT pk_engine PRIMARY KEY (id), 
	CONSTRAINT ck_engine_one_row CHECK (id = 1)
);
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
	updated_at TEXT NOT NULL, model TEXT, worker_provider TEXT, worker_model TEXT, cost_budget DOUBLE DEFAULT 0 NOT NULL CONSTRAINT ck_workflows_cost_budget_not_negative CHECK (cost_budget >= 0), start_rank DOUBLE GENERATED ALWAYS AS (CASE WHEN state = 'pending' THEN julianday(start_requested_at) - priority * 10.0 / 1440 END) VIRTUAL, worker_requested_at TEXT, worker_offered_at TEXT, paused_s DOUBLE DEFAULT '0' NOT NULL, surroundings TEXT DEFAULT '{}' NOT NULL, roles TEXT DEFAULT '{}' NOT NULL, repository TEXT, base_commit TEXT, worktree_files TEXT, merged TEXT, unrecorded INTEGER DEFAULT 0 NOT NULL, ending TEXT, pull_request TEXT, placement TEXT, 
	CONSTRAINT pk_workflows PRIMARY KEY (id), 
	CONSTRAINT ck_workflows_health CHECK (health IN ('unknown', 'healthy', 'degraded', 'stuck')), 
	CONSTRAINT ck_workflows_state CHECK (state IN ('pending', 'running', 'paused', 'completed', 'failed', 'stopped')), 
	CONSTRAINT ck_workflows_cost_usd_not_negative CHECK (cost_usd >= 0), 
	CONSTRAINT ck_workflows_priority CHECK (priority BETWEEN 0 AND 2), 
	CONSTRAINT ck_workflows_token_budget_not_negative CHECK (token_budget >= 0), 
	CONSTRAINT ck_workflows_tokens_used_not_negative CHECK (tokens_used >= 0), 
	CONSTRAINT fk_workflows_retried_from_workflows FOREIGN KEY(retried_from) REFERENCES workflows (id)
);
CREATE INDEX ix_workflows_created_at_id ON workflows (created_at, id);
CREATE INDEX ix_workflows_name ON workflows (name);
CREATE INDEX ix_workflows_open ON workflows (created_at, id) WHERE archived_at IS NULL;
CREATE INDEX ix_workflows_state_created_at_id ON workflows (state, created_at, id);
CREATE TABLE channels (
	id INTEGER NOT NULL, 
	workflow_id TEXT NOT NULL, 
	slug TEXT NOT NULL, 
	created_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, threads INTEGER NOT NULL DEFAULT '0', 
	CONSTRAINT pk_channels PRIMARY KEY (id), 
	CONSTRAINT fk_channels_workflow_id_workflows FOREIGN KEY(workflow_id) REFERENCES workflows (id) ON DELETE CASCADE, 
	CONSTRAINT uq_channels_workflow_id_slug UNIQUE (workflow_id, slug)
);
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
CREATE INDEX ix_events_workflow_id_seq ON events (workflow_id, seq);
CREATE TABLE workflow_labels (
	workflow_id TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	created_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, 
	CONSTRAINT pk_workflow_labels PRIMARY KEY (workflow_id, "key"), 
	CONSTRAINT fk_workflow_labels_workflow_id_workflows FOREIGN KEY(workflow_id) REFERENCES workflows (id) ON DELETE CASCADE
);
CREATE INDEX ix_workflow_labels_key_value ON workflow_labels ("key", value);
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
CREATE UNIQUE INDEX uq_leases_agent ON leases (kind, agent_id) WHERE agent_id IS NOT NULL;
CREATE UNIQUE INDEX uq_leases_port ON leases (value) WHERE kind = 'port';
CREATE UNIQUE INDEX uq_leases_workflow ON leases (kind, workflow_id) WHERE agent_id IS NULL;
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
CREATE TABLE acks (
	post_id INTEGER NOT NULL, 
	agent_id INTEGER NOT NULL, 
	created_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, 
	CONSTRAINT pk_acks PRIMARY KEY (post_id, agent_id), 
	CONSTRAINT fk_acks_agent_id_agents FOREIGN KEY(agent_id) REFERENCES agents (id) ON DELETE CASCADE, 
	CONSTRAINT fk_acks_post_id_posts FOREIGN KEY(post_id) REFERENCES posts (id) ON DELETE CASCADE
);
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
CREATE INDEX ix_artifacts_post_id ON artifacts (post_id);
CREATE TABLE post_mentions (
	post_id INTEGER NOT NULL, 
	agent_id INTEGER NOT NULL, 
	created_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, 
	CONSTRAINT pk_post_mentions PRIMARY KEY (post_id, agent_id), 
	CONSTRAINT fk_post_mentions_agent_id_agents FOREIGN KEY(agent_id) REFERENCES agents (id) ON DELETE CASCADE, 
	CONSTRAINT fk_post_mentions_post_id_posts FOREIGN KEY(post_id) REFERENCES posts (id) ON DELETE CASCADE
);
CREATE TABLE task_comments (
	id INTEGER NOT NULL, 
	task_id INTEGER NOT NULL, 
	author TEXT NOT NULL, 
	body TEXT NOT NULL, 
	created_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, kind TEXT DEFAULT 'note' NOT NULL, attempt INTEGER DEFAULT '0' NOT NULL, round INTEGER DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_task_comments PRIMARY KEY (id), 
	CONSTRAINT fk_task_comments_task_id_tasks FOREIGN KEY(task_id) REFERENCES tasks (id) ON DELETE CASCADE
);
CREATE INDEX ix_task_comments_task_id ON task_comments (task_id);
CREATE TABLE task_dependencies (
	task_id INTEGER NOT NULL, 
	depends_on_id INTEGER NOT NULL, 
	created_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, 
	CONSTRAINT pk_task_dependencies PRIMARY KEY (task_id, depends_on_id), 
	CONSTRAINT fk_task_dependencies_depends_on_id_tasks FOREIGN KEY(depends_on_id) REFERENCES tasks (id) ON DELETE CASCADE, 
	CONSTRAINT fk_task_dependencies_task_id_tasks FOREIGN KEY(task_id) REFERENCES tasks (id) ON DELETE CASCADE
);
CREATE INDEX ix_task_dependencies_depends_on_id ON task_dependencies (depends_on_id);
CREATE VIEW recent_events AS 
SELECT e.seq, e.created_at AS at, e.type, e.workflow_id, a.name AS agent, k.key AS task,
    e.turn_id AS turn, e.payload
FROM events e
LEFT JOIN agents a ON a.id = e.agent_id
LEFT JOIN tasks k ON k.id = e.task_id
ORDER BY e.seq DESC LIMIT 200;
CREATE TABLE provider_holds (
	provider TEXT NOT NULL, 
	until TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	created_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, probe_at TEXT, said_by TEXT, 
	CONSTRAINT pk_provider_holds PRIMARY KEY (provider)
);
CREATE INDEX ix_workflows_queue ON workflows (start_rank, id) WHERE start_rank IS NOT NULL;
CREATE TABLE resource_limits (
	resource TEXT NOT NULL, 
	value DOUBLE, 
	created_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, 
	CONSTRAINT pk_resource_limits PRIMARY KEY (resource)
);
CREATE TABLE totals (
	id INTEGER NOT NULL, 
	tokens INTEGER DEFAULT '0' NOT NULL, 
	cost_usd DOUBLE DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_totals PRIMARY KEY (id), 
	CONSTRAINT ck_totals_one_row CHECK (id = 1)
);
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
CREATE TABLE inbox_acks (
	seq INTEGER NOT NULL, 
	created_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, origin TEXT, 
	CONSTRAINT pk_inbox_acks PRIMARY KEY (seq), 
	CONSTRAINT fk_inbox_acks_seq_events FOREIGN KEY(seq) REFERENCES events (seq) ON DELETE CASCADE
);
CREATE INDEX ix_events_inbox ON events (type, seq) WHERE type IN ('user.notification', 'resource.budget_warning', 'health.stuck', 'workflow.failed');
CREATE TABLE agents (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
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
	updated_at TEXT NOT NULL, session_totals TEXT, held_until TEXT, holds INTEGER DEFAULT '0' NOT NULL, silences INTEGER DEFAULT '0' NOT NULL, successor_id INTEGER, blocked TEXT, node TEXT, unplaced TEXT, 
	CONSTRAINT ck_agents_phase CHECK (phase IN ('idle', 'implementing', 'awaiting_review', 'addressing_feedback', 'reviewing', 'committing')), 
	CONSTRAINT ck_agents_role CHECK (role IN ('coordinator', 'worker', 'observer')), 
	CONSTRAINT ck_agents_status CHECK (status IN ('pending', 'ready', 'working', 'paused', 'stopped', 'failed', 'retired')), 
	CONSTRAINT fk_agents_workflow_id_workflows FOREIGN KEY(workflow_id) REFERENCES workflows (id) ON DELETE CASCADE, 
	CONSTRAINT uq_agents_workflow_id_name UNIQUE (workflow_id, name)
);
CREATE INDEX ix_agents_status ON agents (status);
CREATE INDEX ix_agents_token ON agents (token);
CREATE TABLE turns (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
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
	updated_at TEXT NOT NULL, tokens_reserved INTEGER DEFAULT '0' NOT NULL, cost_reserved DOUBLE DEFAULT '0' NOT NULL, session_base TEXT, runs_command INTEGER DEFAULT 0 NOT NULL, 
	CONSTRAINT ck_turns_status CHECK (status IN ('queued', 'starting', 'running', 'succeeded', 'failed', 'interrupted', 'timed_out', 'lost')), 
	CONSTRAINT ck_turns_stdout_offset_not_negative CHECK (stdout_offset >= 0), 
	CONSTRAINT fk_turns_agent_id_agents FOREIGN KEY(agent_id) REFERENCES agents (id) ON DELETE CASCADE, 
	CONSTRAINT fk_turns_workflow_id_workflows FOREIGN KEY(workflow_id) REFERENCES workflows (id) ON DELETE CASCADE, 
	CONSTRAINT uq_turns_agent_id_number UNIQUE (agent_id, number)
);
CREATE INDEX ix_turns_open ON turns (status) WHERE status IN ('queued', 'starting', 'running');
CREATE INDEX ix_turns_workflow_id ON turns (workflow_id);
CREATE TABLE messages (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	agent_id INTEGER NOT NULL, 
	sender TEXT NOT NULL, 
	sender_kind TEXT NOT NULL, 
	body TEXT NOT NULL, 
	status TEXT DEFAULT 'queued' NOT NULL, 
	turn_id INTEGER, 
	created_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, task_id INTEGER, 
	CONSTRAINT ck_messages_sender_kind CHECK (sender_kind IN ('user', 'coordinator', 'worker', 'system', 'reminder')), 
	CONSTRAINT ck_messages_status CHECK (status IN ('queued', 'delivered', 'done')), 
	CONSTRAINT fk_messages_agent_id_agents FOREIGN KEY(agent_id) REFERENCES agents (id) ON DELETE CASCADE, 
	CONSTRAINT fk_messages_turn_id_turns FOREIGN KEY(turn_id) REFERENCES turns (id) ON DELETE SET NULL
);
CREATE INDEX ix_messages_agent_id_status ON messages (agent_id, status);
CREATE TABLE tasks (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
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
	updated_at TEXT NOT NULL, worker TEXT, verdict TEXT, review_type TEXT, question TEXT, base_commit TEXT, denials INTEGER DEFAULT '0' NOT NULL, receipt TEXT DEFAULT '{}' NOT NULL, execution TEXT DEFAULT '{}' NOT NULL, held_until TEXT, condition TEXT, tolerated INTEGER DEFAULT '0' NOT NULL, stage INTEGER DEFAULT '0' NOT NULL, serving_since TEXT, 
	CONSTRAINT ck_tasks_status CHECK (status IN ('pending', 'ready', 'in_progress', 'in_review', 'approved', 'denied', 'committing', 'waiting_for_user', 'done', 'failed', 'skipped')), 
	CONSTRAINT ck_tasks_attempt_not_negative CHECK (attempt >= 0), 
	CONSTRAINT ck_tasks_retries_not_negative CHECK (retries >= 0), 
	CONSTRAINT fk_tasks_implementer_id_agents FOREIGN KEY(implementer_id) REFERENCES agents (id), 
	CONSTRAINT fk_tasks_reviewer_id_agents FOREIGN KEY(reviewer_id) REFERENCES agents (id), 
	CONSTRAINT fk_tasks_workflow_id_workflows FOREIGN KEY(workflow_id) REFERENCES workflows (id) ON DELETE CASCADE, 
	CONSTRAINT uq_tasks_workflow_id_key UNIQUE (workflow_id, "key")
);
CREATE TABLE posts (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	channel_id INTEGER NOT NULL, 
	parent_id INTEGER, 
	author TEXT NOT NULL, 
	kind TEXT DEFAULT 'info' NOT NULL, 
	body TEXT NOT NULL, 
	created_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, replies INTEGER NOT NULL DEFAULT '0', 
	CONSTRAINT ck_posts_kind CHECK (kind IN ('info', 'request', 'response', 'completion', 'error')), 
	CONSTRAINT fk_posts_channel_id_channels FOREIGN KEY(channel_id) REFERENCES channels (id) ON DELETE CASCADE, 
	CONSTRAINT fk_posts_parent_id_posts FOREIGN KEY(parent_id) REFERENCES posts (id) ON DELETE CASCADE
);
CREATE INDEX ix_posts_channel_id ON posts (channel_id);
CREATE INDEX ix_posts_parent_id ON posts (parent_id);
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
    CASE WHEN w.started_at IS NULL THEN NULL ELSE max(0, CAST(
        strftime('%s', coalesce(w.paused_at, w.ended_at, 'now')) - strftime('%s', w.started_at)
        - w.paused_s AS INTEGER))
    END AS uptime_s,
    CASE
        WHEN w.waiting_for_user THEN 'waiting for you'
        WHEN w.health IN ('degraded', 'stuck') AND w.state = 'running' THEN w.health
        WHEN w.state = 'failed' THEN 'failed'
    END AS attention
FROM workflows w;
CREATE VIEW running_workflows AS SELECT * FROM workflow_overview WHERE state = 'running';
CREATE TABLE provider_limits (
	id TEXT NOT NULL, 
	provider TEXT NOT NULL, 
	window TEXT NOT NULL, 
	used DOUBLE NOT NULL, 
	resets_at TEXT, 
	created_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, 
	CONSTRAINT pk_provider_limits PRIMARY KEY (id)
);
CREATE TABLE commands (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
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
	updated_at TEXT NOT NULL, request_key TEXT, origin TEXT, 
	CONSTRAINT ck_commands_source CHECK (source IN ('user', 'mcp', 'health', 'engine', 'agent')), 
	CONSTRAINT ck_commands_status CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'rejected')), 
	CONSTRAINT fk_commands_agent_id_agents FOREIGN KEY(agent_id) REFERENCES agents (id) ON DELETE SET NULL, 
	CONSTRAINT fk_commands_workflow_id_workflows FOREIGN KEY(workflow_id) REFERENCES workflows (id) ON DELETE CASCADE
);
CREATE INDEX ix_commands_queued ON commands (id) WHERE status = 'queued';
CREATE INDEX ix_commands_workflow_id ON commands (workflow_id);
CREATE UNIQUE INDEX uq_commands_request ON commands (agent_id, request_key) WHERE request_key IS NOT NULL;
CREATE INDEX ix_events_agent ON events (agent_id, seq) WHERE agent_id IS NOT NULL;
CREATE TABLE thread_members (
    post_id INTEGER NOT NULL,
    agent_id INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    CONSTRAINT pk_thread_members PRIMARY KEY (post_id, agent_id),
    CONSTRAINT fk_thread_members_post_id_posts
        FOREIGN KEY(post_id) REFERENCES posts (id) ON DELETE CASCADE,
    CONSTRAINT fk_thread_members_agent_id_agents
        FOREIGN KEY(agent_id) REFERENCES agents (id) ON DELETE CASCADE
);
CREATE TABLE inbox_items (
    agent_id INTEGER NOT NULL,
    post_id INTEGER NOT NULL,
    told_at TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    CONSTRAINT pk_inbox_items PRIMARY KEY (agent_id, post_id),
    CONSTRAINT fk_inbox_items_agent_id_agents
        FOREIGN KEY(agent_id) REFERENCES agents (id) ON DELETE CASCADE,
    CONSTRAINT fk_inbox_items_post_id_posts
        FOREIGN KEY(post_id) REFERENCES posts (id) ON DELETE CASCADE
);
CREATE INDEX ix_inbox_items_untold ON inbox_items (agent_id, post_id) WHERE told_at IS NULL;
CREATE INDEX ix_inbox_items_post_id ON inbox_items (post_id);
CREATE TABLE channel_reads (
    channel_id INTEGER NOT NULL,
    last_post_id INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    CONSTRAINT pk_channel_reads PRIMARY KEY (channel_id),
    CONSTRAINT fk_channel_reads_channel_id_channels
        FOREIGN KEY(channel_id) REFERENCES channels (id) ON DELETE CASCADE
);
CREATE INDEX ix_posts_threads ON posts (channel_id) WHERE parent_id IS NULL;
CREATE TABLE questions (
    id INTEGER NOT NULL CONSTRAINT pk_questions PRIMARY KEY AUTOINCREMENT,
    workflow_id TEXT NOT NULL,
    agent_id INTEGER NOT NULL,
    asked_by TEXT NOT NULL,
    task_id INTEGER,
    turn_id INTEGER,
    text TEXT NOT NULL,
    options TEXT DEFAULT '[]' NOT NULL,
    default_answer TEXT,
    status TEXT DEFAULT 'open' NOT NULL,
    answer TEXT,
    answered_at TEXT,
    answered_by TEXT,
    version INTEGER DEFAULT 0 NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    CONSTRAINT ck_questions_status CHECK (status IN ('open', 'answered', 'closed')),
    CONSTRAINT fk_questions_workflow_id_workflows FOREIGN KEY(workflow_id)
        REFERENCES workflows (id) ON DELETE CASCADE,
    CONSTRAINT fk_questions_agent_id_agents FOREIGN KEY(agent_id)
        REFERENCES agents (id) ON DELETE CASCADE,
    CONSTRAINT fk_questions_task_id_tasks FOREIGN KEY(task_id)
        REFERENCES tasks (id) ON DELETE SET NULL,
    CONSTRAINT fk_questions_turn_id_turns FOREIGN KEY(turn_id)
        REFERENCES turns (id) ON DELETE SET NULL
);
CREATE INDEX ix_questions_workflow_id_status ON questions (workflow_id, status);
CREATE INDEX ix_questions_agent_id ON questions (agent_id);
CREATE INDEX ix_tasks_held ON tasks (workflow_id, held_until) WHERE held_until IS NOT NULL;
CREATE INDEX ix_workflows_unrecorded ON workflows (id) WHERE unrecorded = 1;
CREATE TABLE named_leases (
            id INTEGER NOT NULL,
            name TEXT NOT NULL,
            size INTEGER NOT NULL,
            task_id INTEGER NOT NULL,
            workflow_id TEXT NOT NULL,
            asked_at TEXT NOT NULL,
            told_at TEXT,
            acquired_at TEXT,
            created_at TEXT NOT NULL,
            updated_at TEXT NOT NULL,
            CONSTRAINT pk_named_leases PRIMARY KEY (id),
            CONSTRAINT uq_named_leases_name_task_id UNIQUE (name, task_id),
            CONSTRAINT ck_named_leases_size_positive CHECK (size > 0),
            CONSTRAINT fk_named_leases_task_id_tasks FOREIGN KEY (task_id)
                REFERENCES tasks (id) ON DELETE CASCADE,
            CONSTRAINT fk_named_leases_workflow_id_workflows FOREIGN KEY (workflow_id)
                REFERENCES workflows (id) ON DELETE CASCADE
        );
CREATE INDEX ix_named_leases_task_id ON named_leases (task_id);
CREATE INDEX ix_named_leases_workflow_id ON named_leases (workflow_id);
CREATE INDEX ix_tasks_last ON tasks (workflow_id, status) WHERE stage = 1;
CREATE TABLE access_tokens (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	name TEXT NOT NULL, 
	role TEXT NOT NULL, 
	hash TEXT NOT NULL, 
	expires_at TEXT, 
	revoked_at TEXT, 
	origin TEXT, 
	created_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, 
	CONSTRAINT ck_access_tokens_ck_access_tokens_role CHECK (role IN ('read', 'operate', 'admin')), 
	CONSTRAINT uq_access_tokens_hash UNIQUE (hash)
);
CREATE UNIQUE INDEX uq_access_tokens_name ON access_tokens (name) WHERE revoked_at IS NULL;
CREATE TABLE keyed_requests (
	token_id INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
	request TEXT NOT NULL, 
	done TEXT, 
	status INTEGER, 
	answer TEXT, 
	created_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, 
	CONSTRAINT pk_keyed_requests PRIMARY KEY (token_id, "key"), 
	CONSTRAINT fk_keyed_requests_token_id FOREIGN KEY(token_id) REFERENCES access_tokens (id) ON DELETE CASCADE
);
CREATE INDEX ix_keyed_requests_created_at ON keyed_requests (created_at);
CREATE INDEX ix_tasks_services ON tasks (workflow_id, status) WHERE instr(execution, '"service":') > 0;
CREATE INDEX ix_tasks_workflow_id_status ON tasks (workflow_id, status);
CREATE TABLE nodes (
	id TEXT NOT NULL, 
	state TEXT NOT NULL, 
	slots INTEGER NOT NULL, 
	labels TEXT DEFAULT '[]' NOT NULL, 
	facts TEXT DEFAULT '{}' NOT NULL, 
	problems TEXT DEFAULT '[]' NOT NULL, 
	drain INTEGER DEFAULT '0' NOT NULL, 
	joined_at TEXT NOT NULL, 
	last_heard_at TEXT NOT NULL, 
	version INTEGER DEFAULT '0' NOT NULL, 
	created_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, 
	CONSTRAINT pk_nodes PRIMARY KEY (id), 
	CONSTRAINT ck_nodes_ck_nodes_state CHECK (state IN ('ready', 'draining', 'unreachable', 'gone')), 
	CONSTRAINT ck_nodes_ck_nodes_slots_not_negative CHECK (slots >= 0)
);
CREATE TABLE leadership (
	id INTEGER NOT NULL, 
	epoch INTEGER NOT NULL, 
	created_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, 
	CONSTRAINT pk_leadership PRIMARY KEY (id), 
	CONSTRAINT ck_leadership_one_row CHECK (id = 1)
);
CREATE TABLE cluster (
	id INTEGER NOT NULL, 
	state TEXT NOT NULL, 
	place TEXT NOT NULL, 
	problem TEXT DEFAULT '' NOT NULL, 
	since TEXT NOT NULL, 
	lost_after DOUBLE, 
	fenced_after DOUBLE NOT NULL, 
	version INTEGER DEFAULT '0' NOT NULL, 
	created_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, 
	CONSTRAINT pk_cluster PRIMARY KEY (id), 
	CONSTRAINT ck_cluster_state CHECK (state IN ('connecting', 'connected', 'unreachable')), 
	CONSTRAINT ck_cluster_one_row CHECK (id = 1)
);
INSERT INTO alembic_version (version_num) VALUES ('0035');
INSERT INTO totals (id, tokens, cost_usd) VALUES (1, 0, 0.0);
