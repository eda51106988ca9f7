"""CloudWatch's tables: metrics in the journal file, the rest in state.db. Only ever appended to.

A point is one row for each series, time, width and unit; what comes later is added to it. `sample` holds its values as
"value:count" pairs with commas between; NULL where only a statistic set is known. Times are platform-clock seconds.
"""

SCHEMA = (
    """
    CREATE TABLE cloudwatch_alarm (
        account_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL, settings TEXT NOT NULL,
        actions_enabled INTEGER NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL, reason_data TEXT NOT NULL,
        updated_at REAL NOT NULL, transitioned_at REAL NOT NULL, configured_at REAL NOT NULL, tags TEXT NOT NULL,
        PRIMARY KEY (account_id, region, name)
    );
    CREATE TABLE cloudwatch_alarm_history (
        id INTEGER PRIMARY KEY, account_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL,
        at REAL NOT NULL, type TEXT NOT NULL, summary TEXT NOT NULL, data TEXT NOT NULL
    );
    CREATE INDEX cloudwatch_alarm_history_at ON cloudwatch_alarm_history (account_id, region, at);
    CREATE TABLE cloudwatch_dashboard (
        account_id TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL, modified_at REAL NOT NULL, tags TEXT NOT NULL,
        PRIMARY KEY (account_id, name)
    );
    """,
    """
    ALTER TABLE cloudwatch_alarm ADD COLUMN suppression TEXT NOT NULL DEFAULT '';
    """,
    """
    CREATE TABLE cloudwatch_detector (
        account_id TEXT NOT NULL, region TEXT NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL, definition TEXT NOT NULL,
        PRIMARY KEY (account_id, region, id)
    );
    """,
)

JOURNAL_SCHEMA = (
    """
    CREATE TABLE cloudwatch_series (
        key INTEGER PRIMARY KEY, account_id TEXT NOT NULL, region TEXT NOT NULL, namespace TEXT NOT NULL,
        name TEXT NOT NULL, dimensions TEXT NOT NULL
    );
    CREATE INDEX cloudwatch_series_name ON cloudwatch_series (account_id, region, namespace, name);
    CREATE TABLE cloudwatch_point (
        series INTEGER NOT NULL, at INTEGER NOT NULL, width INTEGER NOT NULL, unit TEXT NOT NULL,
        count REAL NOT NULL, total REAL NOT NULL, low REAL NOT NULL, high REAL NOT NULL, sample TEXT,
        PRIMARY KEY (series, at, width, unit)
    ) WITHOUT ROWID;
    CREATE INDEX cloudwatch_point_age ON cloudwatch_point (width, at);
    """,
)
