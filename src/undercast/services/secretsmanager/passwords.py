"""GetRandomPassword's alphabet and choice.

Pure but for the operating system's randomness. AWS: Secrets Manager API Reference, GetRandomPassword.
"""

import secrets
import string

from undercast.core.service import Params
from undercast.services.secretsmanager.errors import invalid

PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
DEFAULT_LENGTH = 32


def password(params: Params) -> str:
    """Raises InvalidParameterException where no such password can be made."""
    excluded = set(params.get("ExcludeCharacters", ""))
    kinds = [
        "".join(character for character in characters if character not in excluded)
        for member, characters in (
            ("ExcludeLowercase", string.ascii_lowercase),
            ("ExcludeUppercase", string.ascii_uppercase),
            ("ExcludeNumbers", string.digits),
            ("ExcludePunctuation", PUNCTUATION),
        )
        if not params.get(member)
    ]
    if params.get("IncludeSpace") and " " not in excluded:
        kinds.append(" ")
    kinds = [kind for kind in kinds if kind]
    length = params.get("PasswordLength", DEFAULT_LENGTH)
    if not kinds:
        raise invalid("Every character is excluded; a password cannot be generated.")
    required = [secrets.choice(kind) for kind in kinds] if params.get("RequireEachIncludedType", True) else []
    if len(required) > length:
        raise invalid(f"Password length {length} is too short based on the required types.")
    alphabet = "".join(kinds)
    chosen = [*required, *(secrets.choice(alphabet) for _ in range(length - len(required)))]
    secrets.SystemRandom().shuffle(chosen)
    return "".join(chosen)
