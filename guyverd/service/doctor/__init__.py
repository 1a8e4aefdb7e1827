"""What `guyverd doctor` makes of what was measured: figures in, verdicts out. Pure.

finding   one verdict, with what is and what to type
system    on the machine: memory, processors, disks, limits, clock, versions
folders   on the state folder, the people folder and the photo folders
library   on the library: config, daemon, catalogue, index, backups, photos, models
"""
