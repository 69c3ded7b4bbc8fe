"""The policy pack: rules that Pulumi's engine holds every resource against, each with its reason."""
