"""People to folders of links: plan, then apply."""
