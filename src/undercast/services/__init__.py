"""AWS's services, one folder each, named as botocore names them. They never import each other (I2)."""
