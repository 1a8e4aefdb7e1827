"""What `guyverd doctor` makes of what was measured: figures in, verdicts out. Pure.

finding   one verdict, with what is and what to type
system    on the machine: memory, processors, disks, limits, clock, versions
library   on the library: config, folders, catalogue, index, photos
"""
