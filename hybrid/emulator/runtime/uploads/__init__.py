"""What agents and run workers send over REST: definitions, answers to requests, events and captured output.

Rests on ``client``: the calls are those of dagster_cloud/workspace/user_code_launcher/user_code_launcher.py,
dagster_cloud/agent/dagster_cloud_agent.py and dagster_cloud/storage/. Everything that comes in is bounded, verified
and written atomically before it is acknowledged.
"""
