"""EFFECT: the lab kernel: User Mode Linux in the background, commands forked in it.

::

    vnetlab ... (client) ──Unix socket──▶ keeper ──serial line──▶ agent ──fork──▶ vnetlab ...
     the user's terminal                  host daemon             lab kernel       lab kernel
"""
