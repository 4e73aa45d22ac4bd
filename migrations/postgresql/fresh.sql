-- What the migrations make of an empty database, up to revision 0035 (make statements)
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL,
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO alembic_version (version_num) VALUES ('0033') RETURNING alembic_version.version_num;
CREATE FUNCTION julianday(moment text) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN RETURN extract(epoch FROM moment::timestamptz)::float8 / 86400.0 + 2440587.5; END $$;
CREATE FUNCTION strftime(form text, moment text, shift text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN to_char((moment::timestamptz + shift::interval) AT TIME ZONE 'UTC',
        'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');
END $$;
CREATE FUNCTION json_of(given text) RETURNS json
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT replace(given, '\u0000', '\ufffd')::json $$;
CREATE FUNCTION json_extract(given text, path text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT json_of(given) #>> string_to_array(substr(path, 3), '.')
$$;
CREATE FUNCTION json_remove(given text, path text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT '{' || coalesce(string_agg(to_json(f.key)::text || ':' || f.value::text, ','
        ORDER BY f.place), '') || '}'
    FROM pg_catalog.json_each(json_of(given)) WITH ORDINALITY AS f(key, value, place)
    WHERE f.key <> substr(path, 3)
$$;
CREATE FUNCTION json_each(given text) RETURNS TABLE (key text, value text)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF json_typeof(json_of(given)) = 'array' THEN
        RETURN QUERY SELECT (place - 1)::text, element
            FROM json_array_elements_text(json_of(given)) WITH ORDINALITY AS e(element, place);
    ELSE
        RETURN QUERY SELECT f.key, f.value FROM json_each_text(json_of(given)) AS f;
    END IF;
END $$;
CREATE FUNCTION instr(whole text, part text) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT strpos(whole, part) $$;
CREATE FUNCTION group_concat_next(so_far text, more text, sign text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN more IS NULL THEN so_far WHEN so_far IS NULL THEN more
        ELSE so_far || sign || more END
$$;
CREATE AGGREGATE group_concat(text, text) (SFUNC = group_concat_next, STYPE = text);
CREATE FUNCTION glob_regex(glob text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    made text := '';
    place integer := 1;
    one text;
    class text[];
BEGIN
    WHILE place <= length(glob) LOOP
        one := substr(glob, place, 1);
        IF one = '*' THEN made := made || '.*';
        ELSIF one = '?' THEN made := made || '.';
        ELSIF one = '[' THEN
            class := regexp_match(substr(glob, place), '^\[(\^?)(\]?[^]]*)\]');
            IF class IS NULL THEN RETURN NULL; END IF;
            made := made || '[' || class[1]
                || regexp_replace(class[2], '[\\[]', '\\\&', 'g') || ']';
            place := place + length(class[1]) + length(class[2]) + 1;
        ELSE made := made || regexp_replace(one, '[]\\.^$+(){}|]', '\\\&');
        END IF;
        place := place + 1;
    END LOOP;
    RETURN '^(?:' || made || ')$';
END $$;
CREATE FUNCTION fits_glob(whole text, glob text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN whole IS NULL OR glob IS NULL THEN NULL
        ELSE coalesce(whole ~ glob_regex(glob), false) END
$$;
CREATE FUNCTION fits_no_glob(whole text, glob text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT NOT fits_glob(whole, glob) $$;
CREATE OPERATOR ~@~ (LEFTARG = text, RIGHTARG = text, FUNCTION = fits_glob);
CREATE OPERATOR !~@~ (LEFTARG = text, RIGHTARG = text, FUNCTION = fits_no_glob);
CREATE FUNCTION same(given text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT given $$;
CREATE OPERATOR + (RIGHTARG = text, FUNCTION = same);
CREATE FUNCTION max(a anycompatible, b anycompatible) RETURNS anycompatible
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN a IS NULL OR b IS NULL THEN NULL WHEN a > b THEN a ELSE b END
$$;
CREATE FUNCTION max(a anycompatible, b anycompatible, c anycompatible) RETURNS anycompatible
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT max(max(a, b), c) $$;
CREATE FUNCTION min(a anycompatible, b anycompatible) RETURNS anycompatible
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN a IS NULL OR b IS NULL THEN NULL WHEN a < b THEN a ELSE b END
$$;
CREATE FUNCTION min(a anycompatible, b anycompatible, c anycompatible) RETURNS anycompatible
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT min(min(a, b), c) $$;
-- The schema on PostgreSQL at revision 0034. It does not change: later revisions change the tables.

CREATE TABLE access_tokens (
    id BIGSERIAL NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    role TEXT COLLATE "C" NOT NULL,
    hash TEXT COLLATE "C" NOT NULL,
    expires_at TEXT COLLATE "C",
    revoked_at TEXT COLLATE "C",
    origin TEXT COLLATE "C",
    created_at TEXT COLLATE "C" NOT NULL,
    updated_at TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_access_tokens PRIMARY KEY (id),
    CONSTRAINT ck_access_tokens_role CHECK (role IN ('read', 'operate', 'admin')),
    CONSTRAINT uq_access_tokens_hash UNIQUE (hash)
);

CREATE UNIQUE INDEX uq_access_tokens_name ON access_tokens (name) WHERE revoked_at IS NULL;

CREATE TABLE cursors (
    name TEXT COLLATE "C" NOT NULL,
    seq BIGINT NOT NULL,
    created_at TEXT COLLATE "C" NOT NULL,
    updated_at TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_cursors PRIMARY KEY (name)
);

CREATE TABLE engine (
    id BIGINT NOT NULL,
    pid BIGINT NOT NULL,
    host TEXT COLLATE "C" NOT NULL,
    boot_id TEXT COLLATE "C" NOT NULL,
    version TEXT COLLATE "C" NOT NULL,
    started_at TEXT COLLATE "C" NOT NULL,
    heartbeat_at TEXT COLLATE "C" NOT NULL,
    ended_at TEXT COLLATE "C",
    clock_offset DOUBLE PRECISION,
    start_ticks BIGINT,
    created_at TEXT COLLATE "C" NOT NULL,
    updated_at TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_engine PRIMARY KEY (id),
    CONSTRAINT ck_engine_one_row CHECK (id = 1)
);

CREATE TABLE leadership (
    id BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    created_at TEXT COLLATE "C" NOT NULL,
    updated_at TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_leadership PRIMARY KEY (id),
    CONSTRAINT ck_leadership_one_row CHECK (id = 1)
);

CREATE TABLE nodes (
    id TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    slots BIGINT NOT NULL,
    labels TEXT COLLATE "C" DEFAULT '[]' NOT NULL,
    facts TEXT COLLATE "C" DEFAULT '{}' NOT NULL,
    problems TEXT COLLATE "C" DEFAULT '[]' NOT NULL,
    drain BIGINT DEFAULT '0' NOT NULL,
    joined_at TEXT COLLATE "C" NOT NULL,
    last_heard_at TEXT COLLATE "C" NOT NULL,
    version BIGINT DEFAULT '0' NOT NULL,
    created_at TEXT COLLATE "C" NOT NULL,
    updated_at TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_nodes PRIMARY KEY (id),
    CONSTRAINT ck_nodes_state CHECK (state IN ('ready', 'draining', 'unreachable', 'gone')),
    CONSTRAINT ck_nodes_slots_not_negative CHECK (slots >= 0)
);

CREATE TABLE provider_holds (
    provider TEXT COLLATE "C" NOT NULL,
    until TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    probe_at TEXT COLLATE "C",
    said_by TEXT COLLATE "C",
    created_at TEXT COLLATE "C" NOT NULL,
    updated_at TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_provider_holds PRIMARY KEY (provider)
);

CREATE TABLE provider_limits (
    id TEXT COLLATE "C" NOT NULL,
    provider TEXT COLLATE "C" NOT NULL,
    "window" TEXT COLLATE "C" NOT NULL,
    used DOUBLE PRECISION NOT NULL,
    resets_at TEXT COLLATE "C",
    created_at TEXT COLLATE "C" NOT NULL,
    updated_at TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_provider_limits PRIMARY KEY (id)
);

CREATE TABLE resource_limits (
    resource TEXT COLLATE "C" NOT NULL,
    value DOUBLE PRECISION,
    created_at TEXT COLLATE "C" NOT NULL,
    updated_at TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_resource_limits PRIMARY KEY (resource)
);

CREATE TABLE totals (
    id BIGINT NOT NULL,
    tokens BIGINT DEFAULT '0' NOT NULL,
    cost_usd DOUBLE PRECISION DEFAULT '0' NOT NULL,
    CONSTRAINT pk_totals PRIMARY KEY (id),
    CONSTRAINT ck_totals_one_row CHECK (id = 1)
);

CREATE TABLE workflows (
    id TEXT COLLATE "C" NOT NULL,
    template_id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    priority BIGINT DEFAULT '1' NOT NULL,
    work_dir TEXT COLLATE "C" NOT NULL,
    goal TEXT COLLATE "C" DEFAULT '' NOT NULL,
    args TEXT COLLATE "C" DEFAULT '{}' NOT NULL,
    definition TEXT COLLATE "C" DEFAULT '{}' NOT NULL,
    provider TEXT COLLATE "C" DEFAULT 'builtin' NOT NULL,
    max_workers BIGINT DEFAULT '2' NOT NULL,
    worktree_enabled BIGINT DEFAULT '0' NOT NULL,
    base_branch TEXT COLLATE "C",
    branch TEXT COLLATE "C",
    worktree_path TEXT COLLATE "C",
    token_budget BIGINT DEFAULT '0' NOT NULL,
    tokens_used BIGINT DEFAULT '0' NOT NULL,
    cost_usd DOUBLE PRECISION DEFAULT '0' NOT NULL,
    cost_budget DOUBLE PRECISION DEFAULT '0' NOT NULL,
    mcp_port BIGINT,
    session_dir TEXT COLLATE "C",
    started_at TEXT COLLATE "C",
    paused_at TEXT COLLATE "C",
    ended_at TEXT COLLATE "C",
    start_requested_at TEXT COLLATE "C",
    start_rank DOUBLE PRECISION GENERATED ALWAYS AS (CASE WHEN state = 'pending' THEN julianday(start_requested_at) - priority * 10.0 / 1440 END) STORED,
    worker_requested_at TEXT COLLATE "C",
    worker_offered_at TEXT COLLATE "C",
    archived_at TEXT COLLATE "C",
    health TEXT COLLATE "C" DEFAULT 'unknown' NOT NULL,
    last_heartbeat_at TEXT COLLATE "C",
    last_progress_at TEXT COLLATE "C",
    recovery_count BIGINT DEFAULT '0' NOT NULL,
    last_recovery_at TEXT COLLATE "C",
    waiting_for_user BIGINT DEFAULT '0' NOT NULL,
    reason TEXT COLLATE "C",
    ending TEXT COLLATE "C",
    retried_from TEXT COLLATE "C",
    version BIGINT DEFAULT '0' NOT NULL,
    model TEXT COLLATE "C",
    worker_provider TEXT COLLATE "C",
    worker_model TEXT COLLATE "C",
    paused_s DOUBLE PRECISION DEFAULT '0' NOT NULL,
    surroundings TEXT COLLATE "C" DEFAULT '{}' NOT NULL,
    roles TEXT COLLATE "C" DEFAULT '{}' NOT NULL,
    repository TEXT COLLATE "C",
    base_commit TEXT COLLATE "C",
    worktree_files TEXT COLLATE "C",
    merged TEXT COLLATE "C",
    pull_request TEXT COLLATE "C",
    unrecorded BIGINT DEFAULT '0' NOT NULL,
    placement TEXT COLLATE "C",
    created_at TEXT COLLATE "C" NOT NULL,
    updated_at TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_workflows PRIMARY KEY (id),
    CONSTRAINT ck_workflows_state CHECK (state IN ('pending', 'running', 'paused', 'completed', 'failed', 'stopped')),
    CONSTRAINT ck_workflows_priority CHECK (priority BETWEEN 0 AND 2),
    CONSTRAINT ck_workflows_health CHECK (health IN ('unknown', 'healthy', 'degraded', 'stuck')),
    CONSTRAINT ck_workflows_token_budget_not_negative CHECK (token_budget >= 0),
    CONSTRAINT ck_workflows_tokens_used_not_negative CHECK (tokens_used >= 0),
    CONSTRAINT ck_workflows_cost_usd_not_negative CHECK (cost_usd >= 0),
    CONSTRAINT ck_workflows_cost_budget_not_negative CHECK (cost_budget >= 0),
    CONSTRAINT fk_workflows_retried_from_workflows FOREIGN KEY(retried_from) REFERENCES workflows (id)
);

CREATE INDEX ix_workflows_created_at_id ON workflows (created_at, id);

CREATE INDEX ix_workflows_name ON workflows (name);

CREATE INDEX ix_workflows_open ON workflows (created_at, id) WHERE archived_at IS NULL;

CREATE INDEX ix_workflows_queue ON workflows (start_rank, id) WHERE start_rank IS NOT NULL;

CREATE INDEX ix_workflows_state_created_at_id ON workflows (state, created_at, id);

CREATE INDEX ix_workflows_unrecorded ON workflows (id) WHERE unrecorded = 1;

CREATE TABLE agents (
    id BIGSERIAL NOT NULL,
    workflow_id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    role TEXT COLLATE "C" NOT NULL,
    agent_type TEXT COLLATE "C" DEFAULT '' NOT NULL,
    provider TEXT COLLATE "C" NOT NULL,
    model TEXT COLLATE "C",
    status TEXT COLLATE "C" NOT NULL,
    phase TEXT COLLATE "C" DEFAULT 'idle' NOT NULL,
    task_id BIGINT,
    provider_session_id TEXT COLLATE "C",
    token TEXT COLLATE "C",
    failures BIGINT DEFAULT '0' NOT NULL,
    tokens_in BIGINT DEFAULT '0' NOT NULL,
    tokens_out BIGINT DEFAULT '0' NOT NULL,
    tokens_cached BIGINT DEFAULT '0' NOT NULL,
    context_used BIGINT,
    context_window BIGINT,
    cost_usd DOUBLE PRECISION DEFAULT '0' NOT NULL,
    last_activity_at TEXT COLLATE "C",
    retired_at TEXT COLLATE "C",
    version BIGINT DEFAULT '0' NOT NULL,
    session_totals TEXT COLLATE "C",
    held_until TEXT COLLATE "C",
    holds BIGINT DEFAULT '0' NOT NULL,
    silences BIGINT DEFAULT '0' NOT NULL,
    successor_id BIGINT,
    blocked TEXT COLLATE "C",
    node TEXT COLLATE "C",
    unplaced TEXT COLLATE "C",
    created_at TEXT COLLATE "C" NOT NULL,
    updated_at TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_agents PRIMARY KEY (id),
    CONSTRAINT uq_agents_workflow_id_name UNIQUE (workflow_id, name),
    CONSTRAINT ck_agents_role CHECK (role IN ('coordinator', 'worker', 'observer')),
    CONSTRAINT ck_agents_status CHECK (status IN ('pending', 'ready', 'working', 'paused', 'stopped', 'failed', 'retired')),
    CONSTRAINT ck_agents_phase CHECK (phase IN ('idle', 'implementing', 'awaiting_review', 'addressing_feedback', 'reviewing', 'committing')),
    CONSTRAINT fk_agents_workflow_id_workflows FOREIGN KEY(workflow_id) REFERENCES workflows (id) ON DELETE CASCADE
);

CREATE INDEX ix_agents_status ON agents (status);

CREATE INDEX ix_agents_token ON agents (token);

CREATE TABLE channels (
    id BIGSERIAL NOT NULL,
    workflow_id TEXT COLLATE "C" NOT NULL,
    slug TEXT COLLATE "C" NOT NULL,
    threads BIGINT DEFAULT '0' NOT NULL,
    created_at TEXT COLLATE "C" NOT NULL,
    updated_at TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_channels PRIMARY KEY (id),
    CONSTRAINT uq_channels_workflow_id_slug UNIQUE (workflow_id, slug),
    CONSTRAINT fk_channels_workflow_id_workflows FOREIGN KEY(workflow_id) REFERENCES workflows (id) ON DELETE CASCADE
);

CREATE TABLE events (
    seq BIGSERIAL NOT NULL,
    workflow_id TEXT COLLATE "C",
    agent_id BIGINT,
    task_id BIGINT,
    turn_id BIGINT,
    type TEXT COLLATE "C" NOT NULL,
    payload TEXT COLLATE "C" NOT NULL,
    created_at TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_events PRIMARY KEY (seq),
    CONSTRAINT fk_events_workflow_id_workflows FOREIGN KEY(workflow_id) REFERENCES workflows (id) ON DELETE CASCADE
);

CREATE INDEX ix_events_agent ON events (agent_id, seq) WHERE agent_id IS NOT NULL;

CREATE INDEX ix_events_inbox ON events (type, seq) WHERE type IN ('user.notification', 'resource.budget_warning', 'health.stuck', 'workflow.failed');

CREATE INDEX ix_events_workflow_id_seq ON events (workflow_id, seq);

CREATE TABLE keyed_requests (
    token_id BIGINT NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    request TEXT COLLATE "C" NOT NULL,
    done TEXT COLLATE "C",
    status BIGINT,
    answer TEXT COLLATE "C",
    created_at TEXT COLLATE "C" NOT NULL,
    updated_at TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_keyed_requests PRIMARY KEY (token_id, key),
    CONSTRAINT fk_keyed_requests_token_id_access_tokens FOREIGN KEY(token_id) REFERENCES access_tokens (id) ON DELETE CASCADE
);

CREATE INDEX ix_keyed_requests_created_at ON keyed_requests (created_at);

CREATE TABLE workflow_labels (
    workflow_id TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    created_at TEXT COLLATE "C" NOT NULL,
    updated_at TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_workflow_labels PRIMARY KEY (workflow_id, key),
    CONSTRAINT fk_workflow_labels_workflow_id_workflows FOREIGN KEY(workflow_id) REFERENCES workflows (id) ON DELETE CASCADE
);

CREATE INDEX ix_workflow_labels_key_value ON workflow_labels (key, value);

CREATE TABLE channel_reads (
    channel_id BIGINT NOT NULL,
    last_post_id BIGINT NOT NULL,
    created_at TEXT COLLATE "C" NOT NULL,
    updated_at TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_channel_reads PRIMARY KEY (channel_id),
    CONSTRAINT fk_channel_reads_channel_id_channels FOREIGN KEY(channel_id) REFERENCES channels (id) ON DELETE CASCADE
);

CREATE TABLE commands (
    id BIGSERIAL NOT NULL,
    workflow_id TEXT COLLATE "C",
    agent_id BIGINT,
    kind TEXT COLLATE "C" NOT NULL,
    args TEXT COLLATE "C" DEFAULT '{}' NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    request_key TEXT COLLATE "C",
    status TEXT COLLATE "C" DEFAULT 'queued' NOT NULL,
    result TEXT COLLATE "C",
    error TEXT COLLATE "C",
    started_at TEXT COLLATE "C",
    finished_at TEXT COLLATE "C",
    version BIGINT DEFAULT '0' NOT NULL,
    origin TEXT COLLATE "C",
    created_at TEXT COLLATE "C" NOT NULL,
    updated_at TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_commands PRIMARY KEY (id),
    CONSTRAINT ck_commands_status CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'rejected')),
    CONSTRAINT ck_commands_source CHECK (source IN ('user', 'mcp', 'health', 'engine', 'agent')),
    CONSTRAINT fk_commands_workflow_id_workflows FOREIGN KEY(workflow_id) REFERENCES workflows (id) ON DELETE CASCADE,
    CONSTRAINT fk_commands_agent_id_agents FOREIGN KEY(agent_id) REFERENCES agents (id) ON DELETE SET NULL
);

CREATE INDEX ix_commands_queued ON commands (id) WHERE status = 'queued';

CREATE INDEX ix_commands_workflow_id ON commands (workflow_id);

CREATE UNIQUE INDEX uq_commands_request ON commands (agent_id, request_key) WHERE request_key IS NOT NULL;

CREATE TABLE inbox_acks (
    seq BIGINT NOT NULL,
    origin TEXT COLLATE "C",
    created_at TEXT COLLATE "C" NOT NULL,
    updated_at TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_inbox_acks PRIMARY KEY (seq),
    CONSTRAINT fk_inbox_acks_seq_events FOREIGN KEY(seq) REFERENCES events (seq) ON DELETE CASCADE
);

CREATE TABLE leases (
    id BIGSERIAL NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    value BIGINT,
    workflow_id TEXT COLLATE "C" NOT NULL,
    agent_id BIGINT,
    acquired_at TEXT COLLATE "C" NOT NULL,
    created_at TEXT COLLATE "C" NOT NULL,
    updated_at TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_leases PRIMARY KEY (id),
    CONSTRAINT ck_leases_kind CHECK (kind IN ('workflow', 'worker', 'ai_call', 'port')),
    CONSTRAINT fk_leases_workflow_id_workflows FOREIGN KEY(workflow_id) REFERENCES workflows (id) ON DELETE CASCADE,
    CONSTRAINT fk_leases_agent_id_agents FOREIGN KEY(agent_id) REFERENCES agents (id) ON DELETE CASCADE
);

CREATE UNIQUE INDEX uq_leases_agent ON leases (kind, agent_id) WHERE agent_id IS NOT NULL;

CREATE UNIQUE INDEX uq_leases_port ON leases (value) WHERE kind = 'port';

CREATE UNIQUE INDEX uq_leases_workflow ON leases (kind, workflow_id) WHERE agent_id IS NULL;

CREATE TABLE posts (
    id BIGSERIAL NOT NULL,
    channel_id BIGINT NOT NULL,
    parent_id BIGINT,
    author TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" DEFAULT 'info' NOT NULL,
    body TEXT COLLATE "C" NOT NULL,
    replies BIGINT DEFAULT '0' NOT NULL,
    created_at TEXT COLLATE "C" NOT NULL,
    updated_at TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_posts PRIMARY KEY (id),
    CONSTRAINT ck_posts_kind CHECK (kind IN ('info', 'request', 'response', 'completion', 'error')),
    CONSTRAINT fk_posts_channel_id_channels FOREIGN KEY(channel_id) REFERENCES channels (id) ON DELETE CASCADE,
    CONSTRAINT fk_posts_parent_id_posts FOREIGN KEY(parent_id) REFERENCES posts (id) ON DELETE CASCADE
);

CREATE INDEX ix_posts_channel_id ON posts (channel_id);

CREATE INDEX ix_posts_parent_id ON posts (parent_id);

CREATE INDEX ix_posts_threads ON posts (channel_id) WHERE parent_id IS NULL;

CREATE TABLE subscriptions (
    agent_id BIGINT NOT NULL,
    channel_id BIGINT NOT NULL,
    mode TEXT COLLATE "C" NOT NULL,
    created_at TEXT COLLATE "C" NOT NULL,
    updated_at TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_subscriptions PRIMARY KEY (agent_id, channel_id),
    CONSTRAINT ck_subscriptions_mode CHECK (mode IN ('all', 'mentions', 'none')),
    CONSTRAINT fk_subscriptions_agent_id_agents FOREIGN KEY(agent_id) REFERENCES agents (id) ON DELETE CASCADE,
    CONSTRAINT fk_subscriptions_channel_id_channels FOREIGN KEY(channel_id) REFERENCES channels (id) ON DELETE CASCADE
);

CREATE TABLE tasks (
    id BIGSERIAL NOT NULL,
    workflow_id TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    title TEXT COLLATE "C" NOT NULL,
    body TEXT COLLATE "C" DEFAULT '' NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    assignee TEXT COLLATE "C",
    implementer_id BIGINT,
    reviewer_id BIGINT,
    run TEXT COLLATE "C",
    env TEXT COLLATE "C" DEFAULT '{}' NOT NULL,
    timeout DOUBLE PRECISION,
    retries BIGINT DEFAULT '0' NOT NULL,
    attempt BIGINT DEFAULT '0' NOT NULL,
    exit_code BIGINT,
    inputs TEXT COLLATE "C" DEFAULT '{}' NOT NULL,
    outputs TEXT COLLATE "C" DEFAULT '{}' NOT NULL,
    thread_post_id BIGINT,
    failure TEXT COLLATE "C",
    started_at TEXT COLLATE "C",
    ended_at TEXT COLLATE "C",
    version BIGINT DEFAULT '0' NOT NULL,
    worker TEXT COLLATE "C",
    verdict TEXT COLLATE "C",
    denials BIGINT DEFAULT '0' NOT NULL,
    review_type TEXT COLLATE "C",
    question TEXT COLLATE "C",
    base_commit TEXT COLLATE "C",
    receipt TEXT COLLATE "C" DEFAULT '{}' NOT NULL,
    execution TEXT COLLATE "C" DEFAULT '{}' NOT NULL,
    held_until TEXT COLLATE "C",
    condition TEXT COLLATE "C",
    tolerated BIGINT DEFAULT '0' NOT NULL,
    stage BIGINT DEFAULT '0' NOT NULL,
    serving_since TEXT COLLATE "C",
    created_at TEXT COLLATE "C" NOT NULL,
    updated_at TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_tasks PRIMARY KEY (id),
    CONSTRAINT uq_tasks_workflow_id_key UNIQUE (workflow_id, key),
    CONSTRAINT ck_tasks_status CHECK (status IN ('pending', 'ready', 'in_progress', 'in_review', 'approved', 'denied', 'committing', 'waiting_for_user', 'done', 'failed', 'skipped')),
    CONSTRAINT ck_tasks_retries_not_negative CHECK (retries >= 0),
    CONSTRAINT ck_tasks_attempt_not_negative CHECK (attempt >= 0),
    CONSTRAINT fk_tasks_workflow_id_workflows FOREIGN KEY(workflow_id) REFERENCES workflows (id) ON DELETE CASCADE,
    CONSTRAINT fk_tasks_implementer_id_agents FOREIGN KEY(implementer_id) REFERENCES agents (id),
    CONSTRAINT fk_tasks_reviewer_id_agents FOREIGN KEY(reviewer_id) REFERENCES agents (id)
);

CREATE INDEX ix_tasks_held ON tasks (workflow_id, held_until) WHERE held_until IS NOT NULL;

CREATE INDEX ix_tasks_last ON tasks (workflow_id, status) WHERE stage = 1;

CREATE INDEX ix_tasks_services ON tasks (workflow_id, status) WHERE instr(execution, '"service":') > 0;

CREATE INDEX ix_tasks_workflow_id_status ON tasks (workflow_id, status);

CREATE TABLE turns (
    id BIGSERIAL NOT NULL,
    workflow_id TEXT COLLATE "C" NOT NULL,
    agent_id BIGINT NOT NULL,
    number BIGINT NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    prompt TEXT COLLATE "C" NOT NULL,
    pid BIGINT,
    start_ticks BIGINT,
    boot_id TEXT COLLATE "C",
    stdout_path TEXT COLLATE "C" NOT NULL,
    stdout_offset BIGINT DEFAULT '0' NOT NULL,
    stderr_path TEXT COLLATE "C" NOT NULL,
    exit_code BIGINT,
    outcome TEXT COLLATE "C",
    error_class TEXT COLLATE "C",
    error TEXT COLLATE "C",
    tokens_in BIGINT DEFAULT '0' NOT NULL,
    tokens_out BIGINT DEFAULT '0' NOT NULL,
    tokens_cached BIGINT DEFAULT '0' NOT NULL,
    cost_usd DOUBLE PRECISION DEFAULT '0' NOT NULL,
    tokens_reserved BIGINT DEFAULT '0' NOT NULL,
    cost_reserved DOUBLE PRECISION DEFAULT '0' NOT NULL,
    started_at TEXT COLLATE "C",
    ended_at TEXT COLLATE "C",
    version BIGINT DEFAULT '0' NOT NULL,
    session_base TEXT COLLATE "C",
    runs_command BIGINT DEFAULT '0' NOT NULL,
    created_at TEXT COLLATE "C" NOT NULL,
    updated_at TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_turns PRIMARY KEY (id),
    CONSTRAINT uq_turns_agent_id_number UNIQUE (agent_id, number),
    CONSTRAINT ck_turns_status CHECK (status IN ('queued', 'starting', 'running', 'succeeded', 'failed', 'interrupted', 'timed_out', 'lost')),
    CONSTRAINT ck_turns_stdout_offset_not_negative CHECK (stdout_offset >= 0),
    CONSTRAINT fk_turns_workflow_id_workflows FOREIGN KEY(workflow_id) REFERENCES workflows (id) ON DELETE CASCADE,
    CONSTRAINT fk_turns_agent_id_agents FOREIGN KEY(agent_id) REFERENCES agents (id) ON DELETE CASCADE
);

CREATE INDEX ix_turns_open ON turns (status) WHERE status IN ('queued', 'starting', 'running');

CREATE INDEX ix_turns_workflow_id ON turns (workflow_id);

CREATE TABLE acks (
    post_id BIGINT NOT NULL,
    agent_id BIGINT NOT NULL,
    created_at TEXT COLLATE "C" NOT NULL,
    updated_at TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_acks PRIMARY KEY (post_id, agent_id),
    CONSTRAINT fk_acks_post_id_posts FOREIGN KEY(post_id) REFERENCES posts (id) ON DELETE CASCADE,
    CONSTRAINT fk_acks_agent_id_agents FOREIGN KEY(agent_id) REFERENCES agents (id) ON DELETE CASCADE
);

CREATE TABLE artifacts (
    id BIGSERIAL NOT NULL,
    post_id BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    path TEXT COLLATE "C" NOT NULL,
    media_type TEXT COLLATE "C",
    size_bytes BIGINT,
    author TEXT COLLATE "C" NOT NULL,
    created_at TEXT COLLATE "C" NOT NULL,
    updated_at TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_artifacts PRIMARY KEY (id),
    CONSTRAINT fk_artifacts_post_id_posts FOREIGN KEY(post_id) REFERENCES posts (id) ON DELETE CASCADE
);

CREATE INDEX ix_artifacts_post_id ON artifacts (post_id);

CREATE TABLE inbox_items (
    agent_id BIGINT NOT NULL,
    post_id BIGINT NOT NULL,
    told_at TEXT COLLATE "C",
    created_at TEXT COLLATE "C" NOT NULL,
    updated_at TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_inbox_items PRIMARY KEY (agent_id, post_id),
    CONSTRAINT fk_inbox_items_agent_id_agents FOREIGN KEY(agent_id) REFERENCES agents (id) ON DELETE CASCADE,
    CONSTRAINT fk_inbox_items_post_id_posts FOREIGN KEY(post_id) REFERENCES posts (id) ON DELETE CASCADE
);

CREATE INDEX ix_inbox_items_post_id ON inbox_items (post_id);

CREATE INDEX ix_inbox_items_untold ON inbox_items (agent_id, post_id) WHERE told_at IS NULL;

CREATE TABLE messages (
    id BIGSERIAL NOT NULL,
    agent_id BIGINT NOT NULL,
    sender TEXT COLLATE "C" NOT NULL,
    sender_kind TEXT COLLATE "C" NOT NULL,
    body TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" DEFAULT 'queued' NOT NULL,
    turn_id BIGINT,
    task_id BIGINT,
    created_at TEXT COLLATE "C" NOT NULL,
    updated_at TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_messages PRIMARY KEY (id),
    CONSTRAINT ck_messages_status CHECK (status IN ('queued', 'delivered', 'done')),
    CONSTRAINT ck_messages_sender_kind CHECK (sender_kind IN ('user', 'coordinator', 'worker', 'system', 'reminder')),
    CONSTRAINT fk_messages_agent_id_agents FOREIGN KEY(agent_id) REFERENCES agents (id) ON DELETE CASCADE,
    CONSTRAINT fk_messages_turn_id_turns FOREIGN KEY(turn_id) REFERENCES turns (id) ON DELETE SET NULL
);

CREATE INDEX ix_messages_agent_id_status ON messages (agent_id, status);

CREATE TABLE named_leases (
    id BIGSERIAL NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    size BIGINT NOT NULL,
    task_id BIGINT NOT NULL,
    workflow_id TEXT COLLATE "C" NOT NULL,
    asked_at TEXT COLLATE "C" NOT NULL,
    told_at TEXT COLLATE "C",
    acquired_at TEXT COLLATE "C",
    created_at TEXT COLLATE "C" NOT NULL,
    updated_at TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_named_leases PRIMARY KEY (id),
    CONSTRAINT uq_named_leases_name_task_id UNIQUE (name, task_id),
    CONSTRAINT ck_named_leases_size_positive CHECK (size > 0),
    CONSTRAINT fk_named_leases_task_id_tasks FOREIGN KEY(task_id) REFERENCES tasks (id) ON DELETE CASCADE,
    CONSTRAINT fk_named_leases_workflow_id_workflows FOREIGN KEY(workflow_id) REFERENCES workflows (id) ON DELETE CASCADE
);

CREATE INDEX ix_named_leases_task_id ON named_leases (task_id);

CREATE INDEX ix_named_leases_workflow_id ON named_leases (workflow_id);

CREATE TABLE post_mentions (
    post_id BIGINT NOT NULL,
    agent_id BIGINT NOT NULL,
    created_at TEXT COLLATE "C" NOT NULL,
    updated_at TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_post_mentions PRIMARY KEY (post_id, agent_id),
    CONSTRAINT fk_post_mentions_post_id_posts FOREIGN KEY(post_id) REFERENCES posts (id) ON DELETE CASCADE,
    CONSTRAINT fk_post_mentions_agent_id_agents FOREIGN KEY(agent_id) REFERENCES agents (id) ON DELETE CASCADE
);

CREATE TABLE questions (
    id BIGSERIAL NOT NULL,
    workflow_id TEXT COLLATE "C" NOT NULL,
    agent_id BIGINT NOT NULL,
    asked_by TEXT COLLATE "C" NOT NULL,
    task_id BIGINT,
    turn_id BIGINT,
    text TEXT COLLATE "C" NOT NULL,
    options TEXT COLLATE "C" DEFAULT '[]' NOT NULL,
    default_answer TEXT COLLATE "C",
    status TEXT COLLATE "C" DEFAULT 'open' NOT NULL,
    answer TEXT COLLATE "C",
    answered_at TEXT COLLATE "C",
    answered_by TEXT COLLATE "C",
    version BIGINT DEFAULT '0' NOT NULL,
    created_at TEXT COLLATE "C" NOT NULL,
    updated_at TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_questions PRIMARY KEY (id),
    CONSTRAINT ck_questions_status CHECK (status IN ('open', 'answered', 'closed')),
    CONSTRAINT fk_questions_workflow_id_workflows FOREIGN KEY(workflow_id) REFERENCES workflows (id) ON DELETE CASCADE,
    CONSTRAINT fk_questions_agent_id_agents FOREIGN KEY(agent_id) REFERENCES agents (id) ON DELETE CASCADE,
    CONSTRAINT fk_questions_task_id_tasks FOREIGN KEY(task_id) REFERENCES tasks (id) ON DELETE SET NULL,
    CONSTRAINT fk_questions_turn_id_turns FOREIGN KEY(turn_id) REFERENCES turns (id) ON DELETE SET NULL
);

CREATE INDEX ix_questions_agent_id ON questions (agent_id);

CREATE INDEX ix_questions_workflow_id_status ON questions (workflow_id, status);

CREATE TABLE task_comments (
    id BIGSERIAL NOT NULL,
    task_id BIGINT NOT NULL,
    author TEXT COLLATE "C" NOT NULL,
    body TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" DEFAULT 'note' NOT NULL,
    attempt BIGINT DEFAULT '0' NOT NULL,
    round BIGINT DEFAULT '0' NOT NULL,
    created_at TEXT COLLATE "C" NOT NULL,
    updated_at TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_task_comments PRIMARY KEY (id),
    CONSTRAINT fk_task_comments_task_id_tasks FOREIGN KEY(task_id) REFERENCES tasks (id) ON DELETE CASCADE
);

CREATE INDEX ix_task_comments_task_id ON task_comments (task_id);

CREATE TABLE task_dependencies (
    task_id BIGINT NOT NULL,
    depends_on_id BIGINT NOT NULL,
    created_at TEXT COLLATE "C" NOT NULL,
    updated_at TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_task_dependencies PRIMARY KEY (task_id, depends_on_id),
    CONSTRAINT fk_task_dependencies_task_id_tasks FOREIGN KEY(task_id) REFERENCES tasks (id) ON DELETE CASCADE,
    CONSTRAINT fk_task_dependencies_depends_on_id_tasks FOREIGN KEY(depends_on_id) REFERENCES tasks (id) ON DELETE CASCADE
);

CREATE INDEX ix_task_dependencies_depends_on_id ON task_dependencies (depends_on_id);

CREATE TABLE thread_members (
    post_id BIGINT NOT NULL,
    agent_id BIGINT NOT NULL,
    created_at TEXT COLLATE "C" NOT NULL,
    updated_at TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_thread_members PRIMARY KEY (post_id, agent_id),
    CONSTRAINT fk_thread_members_post_id_posts FOREIGN KEY(post_id) REFERENCES posts (id) ON DELETE CASCADE,
    CONSTRAINT fk_thread_members_agent_id_agents FOREIGN KEY(agent_id) REFERENCES agents (id) ON DELETE CASCADE
);

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
    CASE WHEN w.started_at IS NOT NULL THEN greatest(0, trunc(
        floor(extract(epoch FROM
            coalesce(coalesce(w.paused_at, w.ended_at)::timestamptz, now())))::double precision
        - floor(extract(epoch FROM w.started_at::timestamptz))::double precision
        - w.paused_s)::bigint)
    END AS uptime_s,
    CASE
        WHEN w.waiting_for_user <> 0 THEN 'waiting for you'
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

CREATE VIEW recent_events AS
SELECT e.seq, e.created_at AS at, e.type, e.workflow_id, a.name AS agent, k.key AS task,
    e.turn_id AS turn, e.payload
FROM events e
LEFT JOIN agents a ON a.id = e.agent_id
LEFT JOIN tasks k ON k.id = e.task_id
ORDER BY e.seq DESC LIMIT 200;

INSERT INTO totals (id, tokens, cost_usd) VALUES (1, 0, 0);
UPDATE alembic_version SET version_num='0034' WHERE alembic_version.version_num = '0033';
CREATE TABLE cluster (
	id BIGINT NOT NULL,
	state TEXT COLLATE "C" NOT NULL,
	place TEXT COLLATE "C" NOT NULL,
	problem TEXT COLLATE "C" DEFAULT '' NOT NULL,
	since TEXT COLLATE "C" NOT NULL,
	lost_after DOUBLE PRECISION,
	fenced_after DOUBLE PRECISION NOT NULL,
	version BIGINT DEFAULT '0' NOT NULL,
	created_at TEXT COLLATE "C" NOT NULL,
	updated_at TEXT COLLATE "C" NOT NULL,
	CONSTRAINT pk_cluster PRIMARY KEY (id),
	CONSTRAINT ck_cluster_state CHECK (state IN ('connecting', 'connected', 'unreachable')),
	CONSTRAINT ck_cluster_one_row CHECK (id = 1)
);
UPDATE alembic_version SET version_num='0035' WHERE alembic_version.version_num = '0034';
