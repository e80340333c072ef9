#!/usr/bin/env python
"""Django's command line for Flashback."""

import os
import sys


def main() -> int:
    """Run one management command; a configuration that cannot work, or storage that is away, ends it with one line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "flashback.settings")
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import Error

    from flashback import storage

    try:
        settings.INSTALLED_APPS  # noqa: B018 - reads the settings before Django would swallow their refusal
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as refusal:
        sys.stderr.write(f"Flashback refuses to start: {refusal}\n")
        return 1
    except (Error, OSError) as fault:
        if not (word := storage.reason(fault)):
            raise
        sys.stderr.write(f"The storage is away ({word}): {storage.first_line(fault)}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped.\n")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
