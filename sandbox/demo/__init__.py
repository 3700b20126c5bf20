"""Start the whole product on this machine and show its main job: ``python -m sandbox.demo`` (SPEC 14)."""
