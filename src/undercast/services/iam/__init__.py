"""AWS Identity and Access Management: roles, users, groups, policies, access keys, the policy simulator."""
