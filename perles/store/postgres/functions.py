"""Functions and operators that SQLite has by itself, for a schema on a PostgreSQL server.

With them one text of a statement means the same on both. Times are text there, too, and JSON
is text; what is asked for in a statement has the type that its use asks for.
"""

from typing import Final

GLOB: Final = "~@~"
"""The operator in whose stead SQLite has the word GLOB."""

_DAYS: Final = """
CREATE FUNCTION julianday(moment text) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN RETURN extract(epoch FROM moment::timestamptz)::float8 / 86400.0 + 2440587.5; END $$
"""
"""IMMUTABLE, as indexes need it: which it is for times with their zone, the only ones we keep."""

_SHIFTED: Final = """
CREATE FUNCTION strftime(form text, moment text, shift text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN to_char((moment::timestamptz + shift::interval) AT TIME ZONE 'UTC',
        'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');
END $$
"""
"""The one form that is asked for is that of all times."""

_JSON: Final = """
CREATE FUNCTION json_of(given text) RETURNS json
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT replace(given, '\\u0000', '\\ufffd')::json $$
"""
"""A text of a server cannot hold the character 0, not even one that is taken out of JSON."""

_FIELD: Final = """
CREATE FUNCTION json_extract(given text, path text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT json_of(given) #>> string_to_array(substr(path, 3), '.')
$$
"""

_WITHOUT: Final = """
CREATE FUNCTION json_remove(given text, path text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT '{' || coalesce(string_agg(to_json(f.key)::text || ':' || f.value::text, ','
        ORDER BY f.place), '') || '}'
    FROM pg_catalog.json_each(json_of(given)) WITH ORDINALITY AS f(key, value, place)
    WHERE f.key <> substr(path, 3)
$$
"""
"""A field of the outermost object is removed; the rest stays as it is written."""

_EACH: Final = """
CREATE FUNCTION json_each(given text) RETURNS TABLE (key text, value text)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF json_typeof(json_of(given)) = 'array' THEN
        RETURN QUERY SELECT (place - 1)::text, element
            FROM json_array_elements_text(json_of(given)) WITH ORDINALITY AS e(element, place);
    ELSE
        RETURN QUERY SELECT f.key, f.value FROM json_each_text(json_of(given)) AS f;
    END IF;
END $$
"""

_PLACE: Final = """
CREATE FUNCTION instr(whole text, part text) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT strpos(whole, part) $$
"""

_JOINED: Final = (
    """
CREATE FUNCTION group_concat_next(so_far text, more text, sign text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN more IS NULL THEN so_far WHEN so_far IS NULL THEN more
        ELSE so_far || sign || more END
$$
""",
    "CREATE AGGREGATE group_concat(text, text) (SFUNC = group_concat_next, STYPE = text)",
)

_GLOB: Final = (
    r"""
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
END $$
""",
    """
CREATE FUNCTION fits_glob(whole text, glob text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN whole IS NULL OR glob IS NULL THEN NULL
        ELSE coalesce(whole ~ glob_regex(glob), false) END
$$
""",
    """
CREATE FUNCTION fits_no_glob(whole text, glob text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT NOT fits_glob(whole, glob) $$
""",
    f"CREATE OPERATOR {GLOB} (LEFTARG = text, RIGHTARG = text, FUNCTION = fits_glob)",
    f"CREATE OPERATOR !{GLOB} (LEFTARG = text, RIGHTARG = text, FUNCTION = fits_no_glob)",
)
"""A class that is not closed fits nothing."""

_SAME: Final = (
    """
CREATE FUNCTION same(given text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT given $$
""",
    "CREATE OPERATOR + (RIGHTARG = text, FUNCTION = same)",
)
"""The plus before a column that tells the planner of SQLite to leave its index."""


def _of_several(name: str, sign: str) -> tuple[str, ...]:
    """The largest, or the smallest, of two or three: NULL where one of them is."""
    return (
        f"""
CREATE FUNCTION {name}(a anycompatible, b anycompatible) RETURNS anycompatible
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN a IS NULL OR b IS NULL THEN NULL WHEN a {sign} b THEN a ELSE b END
$$
""",
        f"""
CREATE FUNCTION {name}(a anycompatible, b anycompatible, c anycompatible) RETURNS anycompatible
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT {name}({name}(a, b), c) $$
""",
    )


FUNCTIONS: Final = (
    _DAYS,
    _SHIFTED,
    _JSON,
    _FIELD,
    _WITHOUT,
    _EACH,
    _PLACE,
    *_JOINED,
    *_GLOB,
    *_SAME,
    *_of_several("max", ">"),
    *_of_several("min", "<"),
)
"""What makes them, in order, in the schema that is the first of the search path."""
