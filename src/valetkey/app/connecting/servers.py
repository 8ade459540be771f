"""The mail servers that `valetkey connect` knows."""

from collections.abc import Mapping

from valetkey.app.connecting.dovecot import DOVECOT, DOVECOT_OAUTH2
from valetkey.app.connecting.exim import EXIM
from valetkey.app.connecting.ldap import LDAP
from valetkey.app.connecting.nginx import NGINX
from valetkey.app.connecting.parts import Recipe
from valetkey.app.connecting.postfix import POSTFIX
from valetkey.app.connecting.radius import PAM, RADIUS
from valetkey.app.connecting.sasl_programs import COURIER, CYRUS, SENDMAIL
from valetkey.core.errors import InvalidInput

_ALL = (DOVECOT, DOVECOT_OAUTH2, POSTFIX, EXIM, NGINX, CYRUS, SENDMAIL, COURIER, RADIUS, PAM, LDAP)
RECIPES: Mapping[str, Recipe] = {recipe.name: recipe for recipe in _ALL}


def recipe_of(name: str) -> Recipe:
    """Give the recipe for a server.

    Raises:
        InvalidInput: There is none of this name.
    """
    if name not in RECIPES:
        raise InvalidInput("server", f"There are no lines for “{name}”. There are for: {', '.join(RECIPES)}.")
    return RECIPES[name]
