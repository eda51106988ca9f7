"""The path of the certificate of SNS's signatures, which SigningCertURL names.

AWS: SNS Developer Guide, "Verifying the signatures of Amazon SNS messages".
"""

from undercast.core.service import Addresses

PATH_PREFIX = "/SimpleNotificationService-"
ADDRESSES = Addresses(path=PATH_PREFIX)
