import django.db.models.deletion
import flashback.sealed
import uuid
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.db import migrations, models

BATCH = 500


def move(apps, schema_editor):
    """Put the sessions that are there into the table that knows whose they are: nobody has to sign in again."""
    New, Old = apps.get_model("workspaces", "Session"), apps.get_model("sessions", "Session")
    store = SessionStore()
    rows = (
        New(session_key=o.session_key, session_data=o.session_data, expire_date=o.expire_date,
            user_id=store.decode(o.session_data).get(SESSION_KEY))
        for o in Old.objects.iterator(BATCH)
    )
    New.objects.bulk_create(rows, batch_size=BATCH)
    Old.objects.all().delete()


class Migration(migrations.Migration):

    dependencies = [
        ('workspaces', '0007_people'),
        ('sessions', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Session',
            fields=[
                ('session_key', models.CharField(max_length=40, primary_key=True, serialize=False, verbose_name='session key')),
                ('session_data', models.TextField(verbose_name='session data')),
                ('expire_date', models.DateTimeField(db_index=True, verbose_name='expire date')),
                ('user_id', models.UUIDField(db_index=True, null=True)),
            ],
            options={
                'verbose_name': 'session',
                'verbose_name_plural': 'sessions',
                'abstract': False,
            },
        ),
        migrations.RunPython(move, migrations.RunPython.noop),
        migrations.AddField(
            model_name='organization',
            name='second_factor',
            field=models.CharField(choices=[('off', 'Nobody has to'), ('administrators', 'Staff, administrators and owners'), ('everyone', 'Everyone')], default='off', editable=False, max_length=14),
        ),
        migrations.AddField(
            model_name='user',
            name='rejection_mails',
            field=models.BooleanField(default=True, editable=False),
        ),
        migrations.AddField(
            model_name='user',
            name='reminder_mails',
            field=models.BooleanField(default=True, editable=False),
        ),
        migrations.AddField(
            model_name='user',
            name='theme',
            field=models.CharField(blank=True, choices=[('', 'As the device has it'), ('light', 'Light'), ('dark', 'Dark')], default='', editable=False, max_length=5),
        ),
        migrations.CreateModel(
            name='SecondFactorSecret',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('secret', flashback.sealed.SealedField(null=True)),
                ('key_id', models.CharField(blank=True, max_length=8)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
        ),
    ]
