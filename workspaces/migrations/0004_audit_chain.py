import hashlib
import hmac
import json
from base64 import urlsafe_b64decode
from itertools import islice
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import migrations, models
from django.db.models.functions import Coalesce

from workspaces import append_only

INSTALLATION = UUID(int=0)
FIELDS = (
    "chain", "number", "previous", "at", "organization_id", "workspace_id", "workspace_label", "actor_kind", "actor_id",
    "actor_label", "via", "ip", "agent", "action", "object_kind", "object_id", "object_label", "details",
)
BATCH = 2000


# These are those of workspaces.chain at the time of this migration, and stay as they are.
def digest(values):
    def as_text(value):
        return str(value) if isinstance(value, UUID) else value.isoformat(timespec="microseconds")

    text = json.dumps(["flashback event v1", *values], sort_keys=True, separators=(",", ":"), default=as_text)
    return hashlib.sha256(text.encode()).hexdigest()


def seal(chain, number, last):
    """Return the id of the key and the seal; both blank when the keys of this installation are not at hand."""
    if settings.KEYS_PENDING:
        return "", ""
    key = settings.FIELD_ENCRYPTION_KEY[0]
    kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"flashback audit seal v1")
    text = f"{chain}|{number}|{last}|0|"
    made = hmac.new(kdf.derive(urlsafe_b64decode(key)), text.encode(), hashlib.sha256).hexdigest()
    return hashlib.sha256(key.encode()).hexdigest()[:8], made


def rows(Event):
    last = 0
    while batch := list(Event.objects.filter(pk__gt=last).order_by("pk")[:BATCH]):
        yield batch
        last = batch[-1].pk


def link(apps, schema_editor):
    """Tie the events that are there already to chains, in the order in which they were written."""
    Event, AuditHead = apps.get_model("workspaces", "Event"), apps.get_model("workspaces", "AuditHead")
    Event.objects.filter(actor_id=None).update(actor_kind="command")
    Event.objects.update(chain=Coalesce("organization_id", models.Value(INSTALLATION, models.UUIDField())))
    heads = {}
    statement = f"UPDATE {Event._meta.db_table} SET number = %s, previous = %s, digest = %s WHERE id = %s"
    for batch in rows(Event):
        changes = []
        for event in batch:
            number, event.previous = heads.get(event.chain, (0, ""))
            event.number = number + 1
            event.digest = digest(getattr(event, field) for field in FIELDS)
            heads[event.chain] = (event.number, event.digest)
            changes.append((event.number, event.previous, event.digest, event.pk))
        with schema_editor.connection.cursor() as cursor:
            cursor.executemany(statement, changes)
    made = (
        AuditHead(chain=chain, number=number, digest=last, **dict(zip(("key_id", "seal"), seal(chain, number, last))))
        for chain, (number, last) in heads.items()
    )
    while some := list(islice(made, BATCH)):
        AuditHead.objects.bulk_create(some)


def protect(apps, schema_editor):
    append_only.install()


class Migration(migrations.Migration):

    dependencies = [
        ('workspaces', '0003_session_epoch'),
    ]

    operations = [
        migrations.CreateModel(
            name='AuditHead',
            fields=[
                ('chain', models.UUIDField(primary_key=True, serialize=False)),
                ('number', models.PositiveBigIntegerField(default=0)),
                ('digest', models.CharField(blank=True, max_length=64)),
                ('pruned', models.PositiveBigIntegerField(default=0)),
                ('pruned_digest', models.CharField(blank=True, max_length=64)),
                ('key_id', models.CharField(blank=True, max_length=8)),
                ('seal', models.CharField(blank=True, max_length=64)),
            ],
        ),
        migrations.RemoveIndex(
            model_name='event',
            name='events_of_a_workspace',
        ),
        migrations.RemoveIndex(
            model_name='event',
            name='events_of_an_object',
        ),
        migrations.AddField(
            model_name='event',
            name='actor_kind',
            field=models.CharField(choices=[('person', 'Person'), ('token', 'API token'), ('staff', 'Staff'), ('command', 'Command'), ('nobody', 'Nobody signed in')], default='person', max_length=10),
        ),
        migrations.AddField(
            model_name='event',
            name='agent',
            field=models.CharField(blank=True, max_length=80, verbose_name='program'),
        ),
        migrations.AddField(
            model_name='event',
            name='chain',
            field=models.UUIDField(default=INSTALLATION),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name='event',
            name='digest',
            field=models.CharField(default='', max_length=64),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name='event',
            name='ip',
            field=models.CharField(blank=True, max_length=45, verbose_name='IP address'),
        ),
        migrations.AddField(
            model_name='event',
            name='number',
            field=models.PositiveBigIntegerField(default=0),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name='event',
            name='previous',
            field=models.CharField(blank=True, default='', max_length=64),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name='event',
            name='via',
            field=models.CharField(blank=True, default='', max_length=80),
            preserve_default=False,
        ),
        migrations.RunPython(link, migrations.RunPython.noop),
        migrations.AddIndex(
            model_name='event',
            index=models.Index(fields=['workspace_id', 'at', 'id'], name='events_of_a_workspace'),
        ),
        migrations.AddIndex(
            model_name='event',
            index=models.Index(fields=['object_id', 'at', 'id'], name='events_of_an_object'),
        ),
        migrations.AddIndex(
            model_name='event',
            index=models.Index(fields=['organization_id', 'at', 'id'], name='events_of_an_organization'),
        ),
        migrations.AddIndex(
            model_name='event',
            index=models.Index(fields=['organization_id', 'action', 'at', 'id'], name='events_of_an_action'),
        ),
        migrations.AddIndex(
            model_name='event',
            index=models.Index(fields=['organization_id', 'actor_id', 'at', 'id'], name='events_of_a_person'),
        ),
        migrations.AddIndex(
            model_name='event',
            index=models.Index(fields=['organization_id', 'actor_kind', 'at', 'id'], name='events_of_a_kind'),
        ),
        migrations.AddConstraint(
            model_name='event',
            constraint=models.UniqueConstraint(fields=('chain', 'number'), name='one_event_per_number'),
        ),
        migrations.RunPython(protect, migrations.RunPython.noop),
    ]
