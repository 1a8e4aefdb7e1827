"""The use cases: the one place that knows all the rooms and moves data between them.

observing    path events and scans -> files in the catalogue
identifying  files -> photos, by the hash of their bytes
reading      photos -> faces, in worker processes
grouping     faces -> people
publishing   people -> folders of links
coordinator  one thread that takes each of these a step at a time
queries      what can be asked and told (the `Library` of `service.api`)
checking     every cache against the catalogue
"""
