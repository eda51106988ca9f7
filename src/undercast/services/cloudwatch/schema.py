"""CloudWatch's tables: metrics in the journal file, alarms and dashboards in state.db. Only ever appended to.

A point is one row for each series, time, width and unit; what comes later is added to it. `sample` holds its values as
"value:count" pairs with commas between; NULL where only a statistic set is known. Times are platform-clock seconds.
"""

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
