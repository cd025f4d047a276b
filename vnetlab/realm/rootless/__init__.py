"""EFFECT: labs of an ordinary user in the kernel that runs here, by a user namespace.

How it works
------------
Whoever makes a user namespace is root in it, and owner of every mount and network namespace made
in there: he may build a lab as root would, without a right that he did not have before. Such
namespaces live as long as a process is in them. That is the **keeper**, which the first lab starts,
and which ends with the last::

    RUN/rootless/         locked (flock) by every command in the realm; the run directory in there
    RUN/rootless/keeper   locked (fcntl) by the keeper as long as it lives
    RUN/rootless/labs/    a tmpfs, which is there in the realm only

A command joins the keeper's namespaces by setns(2) and goes on: same process, terminal, files and
directory. From then on all is as in realm `host`. The user's own id is the only one that is mapped,
so nothing needs to be set up in /etc/subuid, and files belong to whom they belong outside.

The keeper waits for labs to go, by inotify(7). If none is left it waits for the lock of the
commands, which is the moment when nobody is there to make another one, looks again, and ends. A
command that came too late finds that the directory it has locked is gone, and starts the next one.

A keeper that is killed takes its realm along: its **guard**, a fork of it that stays outside, waits
for the end of a pipe that the keeper holds, and kills whoever is in the realm still (commands on
nodes, services), since namespaces live as long as a process is in them. Were both killed, the next
command does it.
"""
