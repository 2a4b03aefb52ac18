"""The interventions of ``loaderbench explain``: each known cause of slow loading, and the loader without it."""
