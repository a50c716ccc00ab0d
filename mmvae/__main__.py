"""`python -m mmvae …`"""

from .cli import main

raise SystemExit(main())
