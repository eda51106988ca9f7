"""The rows of topics and subscriptions, and the topics that were read last.

A topic is read with all its subscriptions, whose filters are compiled then; it stays until this process changes it.
AWS: SNS API Reference.
"""

import json
from collections.abc import Iterator, Mapping

from undercast.core.arn import Scope
from undercast.services.kept import Kept
from undercast.services.sns.errors import no_subscription, no_topic
from undercast.services.sns.models import Subscription, Topic, TopicName, subscription_of, topic_of
from undercast.store.database import Database, Tx
from undercast.store.numbers import next_number


class Topics(Kept[TopicName, Topic]):
    """See the module."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, find)

    def get(self, name: TopicName) -> Topic:
        """Raises NotFound."""
        topic = self.find(name)
        if topic is None:
            raise no_topic()
        return topic

    def still(self, tx: Tx, topic: Topic) -> Topic:
        """A topic that was looked at before its turn to write came, as it is now. Raises NotFound.

        Also where another one has its name by now: who asked was let in by the policy of the one that has gone.
        """
        current = self.within(tx, TopicName(topic.scope, topic.name))
        if current is None or current.id != topic.id:
            raise no_topic()
        return current


def find(tx: Tx, name: TopicName) -> Topic | None:
    """The topic with its subscriptions."""
    row = tx.one("SELECT * FROM sns_topic WHERE account_id = ? AND region = ? AND name = ?", (*name.scope, name.name))
    if row is None:
        return None
    rows = tx.all("SELECT * FROM sns_subscription WHERE topic_id = ? ORDER BY created_at, id", (row["id"],))
    return topic_of(row, tuple(subscription_of(one) for one in rows))


def existing(tx: Tx, name: TopicName) -> Topic:
    """Raises NotFound."""
    topic = find(tx, name)
    if topic is None:
        raise no_topic()
    return topic


def named(tx: Tx, scope: Scope, after: str) -> Iterator[str]:
    """Names of a scope's topics behind one, in order."""
    rows = tx.each(
        "SELECT name FROM sns_topic WHERE account_id = ? AND region = ? AND name > ? ORDER BY name", (*scope, after)
    )
    return (row["name"] for row in rows)


def add(tx: Tx, name: TopicName, attributes: Mapping[str, str], tags: Mapping[str, str], now: float) -> None:
    """A new topic."""
    tx.execute(
        "INSERT INTO sns_topic (id, account_id, region, name, created_at, attributes, tags, sequence,"
        " deleted_subscriptions) VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0)",
        (
            next_number(tx, "sns_topic_number"),
            *name.scope,
            name.name,
            now,
            json.dumps(dict(attributes)),
            json.dumps(dict(tags)),
        ),
    )


def remove(tx: Tx, topic: Topic) -> None:
    """The topic, its subscriptions and what it remembers are gone."""
    tx.execute("DELETE FROM sns_topic WHERE id = ?", (topic.id,))


def set_attributes(tx: Tx, topic: Topic, attributes: Mapping[str, str]) -> None:
    """All of them anew."""
    tx.execute("UPDATE sns_topic SET attributes = ? WHERE id = ?", (json.dumps(dict(attributes)), topic.id))


def set_tags(tx: Tx, topic: Topic, tags: Mapping[str, str]) -> None:
    """All of them anew."""
    tx.execute("UPDATE sns_topic SET tags = ? WHERE id = ?", (json.dumps(dict(tags)), topic.id))


def next_sequence(tx: Tx, topic: Topic) -> int:
    """The number of the next message of a FIFO topic."""
    tx.execute("UPDATE sns_topic SET sequence = sequence + 1 WHERE id = ?", (topic.id,))
    row = tx.one("SELECT sequence FROM sns_topic WHERE id = ?", (topic.id,))
    if row is None:
        raise no_topic()
    return int(row["sequence"])


def add_subscription(tx: Tx, topic: Topic, one: Subscription) -> None:
    """A new subscription."""
    tx.execute(
        "INSERT INTO sns_subscription (id, topic_id, topic_arn, account_id, region, protocol, endpoint, attributes,"
        " principal, token, created_at, confirmed_at, confirmed_by, base_url, from_sandbox, needs_authentication)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            one.id,
            topic.id,
            one.topic_arn,
            *one.scope,
            one.protocol,
            one.endpoint,
            json.dumps(dict(one.attributes)),
            one.principal,
            one.token,
            one.created_at,
            one.confirmed_at,
            one.confirmed_by,
            one.base_url,
            int(one.from_sandbox),
            int(one.needs_authentication),
        ),
    )


def find_subscription(tx: Tx, identifier: str) -> Subscription | None:
    """By its id."""
    row = tx.one("SELECT * FROM sns_subscription WHERE id = ?", (identifier,))
    return None if row is None else subscription_of(row)


def confirm_subscription(tx: Tx, one: Subscription, by: str, needs_authentication: bool, now: float) -> None:
    """From now on it gets messages."""
    tx.execute(
        "UPDATE sns_subscription SET confirmed_at = ?, confirmed_by = ?, needs_authentication = ? WHERE id = ?",
        (now, by, int(needs_authentication), one.id),
    )


def set_subscription_attributes(tx: Tx, one: Subscription, attributes: Mapping[str, str]) -> None:
    """All of them anew."""
    tx.execute("UPDATE sns_subscription SET attributes = ? WHERE id = ?", (json.dumps(dict(attributes)), one.id))


def remove_subscription(tx: Tx, one: Subscription) -> None:
    """It is gone, and counted among those that are. Raises NotFound where it was before."""
    row = tx.one("SELECT topic_id FROM sns_subscription WHERE id = ?", (one.id,))
    if row is None:
        raise no_subscription()
    tx.execute("DELETE FROM sns_subscription WHERE id = ?", (one.id,))
    tx.execute(
        "UPDATE sns_topic SET deleted_subscriptions = deleted_subscriptions + 1 WHERE id = ?", (row["topic_id"],)
    )


def subscriptions_of(tx: Tx, scope: Scope, after: tuple[str, str]) -> Iterator[Subscription]:
    """What an account subscribed to in a region, by topic and id, behind a (topic ARN, id)."""
    rows = tx.each(
        "SELECT * FROM sns_subscription WHERE account_id = ? AND region = ? AND (topic_arn, id) > (?, ?)"
        " ORDER BY topic_arn, id",
        (*scope, *after),
    )
    return (subscription_of(row) for row in rows)
