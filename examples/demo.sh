#!/bin/sh
# Runs examples/self-check.yaml in a home folder of its own and says how to look at what it did.
set -u
DEMO_TMP=$(mktemp -d "${TMPDIR:-/tmp}/perles-demo.XXXXXX")
PERLES_HOME="$DEMO_TMP/home"
export DEMO_TMP PERLES_HOME
perles run examples/self-check.yaml
code=$?
cat <<TEXT

Look at what it did:
  export PERLES_HOME=$PERLES_HOME
  .venv/bin/perles list
  .venv/bin/perles show 'self check'
  .venv/bin/perles events 'self check' --type 'task.*'
  sqlite3 "\$PERLES_HOME/perles.db" 'select name, state, tasks_done from workflow_overview'
Remove it: rm -r $DEMO_TMP
TEXT
exit $code
