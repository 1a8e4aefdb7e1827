"""What `guyverd doctor` measures, for `service.doctor` to judge.

It works whether the daemon runs, hangs or cannot start, and whatever is broken: each check is guarded, and given up
where it does not end. Nothing is changed, but for a file in the state folder that is there for a moment.

machine       processors, memory, disks, inotify, libraries, systemd
tree          a walk through the photo folders, as far as time allows
models        the face models, in a process of their own
stores        the state folder, the people folder, catalogue, index, backups
examination   all of them, one after the other
"""
