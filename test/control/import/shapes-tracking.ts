/** Shapes of what instances track and whom they notify. */
import { instance, type Shape, web } from './shape.ts'

export const trackingShapes: readonly Shape[] = [
  {
    name: 'a process check with a negative weight, and one with a positive weight that the instance overrides',
    text: `vrrp_script chk_haproxy {
    script "/usr/bin/killall -0 haproxy"
    interval 2
    weight -20
}
vrrp_script chk_dns {
    script "/usr/bin/dig @127.0.0.1"
    weight 10
}
${instance('    track_script {\n        chk_haproxy\n        chk_dns weight 30\n    }')}`,
    becomes: {
      services: {
        VI_1: {
          ...web,
          priority: 131,
          checks: [
            { check: 'chk_haproxy', weight: -20 },
            { check: 'chk_dns', weight: -30 },
          ],
        },
      },
      checks: {
        chk_haproxy: { exec: ['/usr/bin/killall', '-0', 'haproxy'], interval: '2s', rise: 1, fall: 1 },
        chk_dns: { exec: ['/usr/bin/dig', '@127.0.0.1'], interval: '1s', rise: 1, fall: 1 },
      },
    },
    says: ['13 changed priority: 101, and 30', '19 changed tracking chk_dns: weight 30'],
  },
  {
    name: 'a script that is a shell expression: the down file',
    text: `vrrp_script chk_down {
    script "[ -f /etc/keepalived/down ] && exit 1 || exit 0"
    interval 3
}
${instance('    track_script { chk_down }')}`,
    becomes: {
      services: { VI_1: { ...web, checks: ['chk_down'] } },
      checks: {
        chk_down: {
          exec: ['/bin/sh', '-c', '[ -f /etc/keepalived/down ] && exit 1 || exit 0'],
          interval: '3s',
          rise: 1,
          fall: 1,
        },
      },
    },
    says: ['2 changed script: run by a shell'],
  },
  {
    name: 'nested quotes, a program without its path, a full block',
    text: `vrrp_script chk_api {
    script "/opt/check.sh arg1 'arg two' \\"three\\""
    interval 5
    timeout 3
    fall 3
    rise 2
    user root
    init_fail
}
vrrp_script chk_bare {
    script 'killall -0 "my app"'
}
${instance('    track_script {\n chk_api\n chk_bare\n }')}`,
    becomes: {
      services: { VI_1: { ...web, checks: ['chk_api', 'chk_bare'] } },
      checks: {
        chk_api: {
          exec: ['/opt/check.sh', 'arg1', 'arg two', 'three'],
          interval: '5s',
          timeout: '3s',
          rise: 2,
          fall: 3,
        },
        chk_bare: { exec: ['/bin/sh', '-c', 'killall -0 "my app"'], interval: '1s', rise: 1, fall: 1 },
      },
    },
    says: ['7 dropped user', '8 dropped init_fail'],
  },
  {
    name: 'notify scripts: a word, arguments, and one that moves an Elastic IP',
    text: instance(`    notify_master "/usr/bin/aws ec2 associate-address --allocation-id eipalloc-1 --instance-id i-1"
    notify_backup "/etc/keepalived/n.sh backup"
    notify_fault /etc/keepalived/fault.sh root
    notify /etc/keepalived/eip.sh`),
    files: { '/etc/keepalived/eip.sh': '#!/bin/sh\nexec aws ec2 replace-route --gateway-id "$1"\n' },
    becomes: { services: { VI_1: web } },
    says: [
      '8 dropped notify_master: it moves an Elastic IP, which a binding of control does, again and again until it is so: give',
      '9 dropped notify_backup: Holdfast runs no script',
      '10 dropped notify_fault: Holdfast runs no script',
      '11 dropped notify: it moves a route of a VPC',
    ],
  },
  {
    name: 'a sync group of two that tracks, and one of one that only notifies',
    text: `vrrp_script chk { script /bin/true }
vrrp_sync_group VG1 {
    group {
        VI_1
        VI_2
    }
    track_script { chk }
    notify_master "/etc/keepalived/vip.py"
    smtp_alert
}
vrrp_sync_group VG2 {
    group { VI_3 }
}
${instance('')}${instance('').replaceAll('VI_1', 'VI_2').replace('51', '52').replace('2.10', '2.11')}${instance('')
  .replaceAll('VI_1', 'VI_3')
  .replace('51', '53')
  .replace('2.10', '2.12')}`,
    becomes: {
      services: {
        VI_1: { ...web, checks: ['chk'] },
        VI_2: { ...web, vrid: 52, addresses: ['192.0.2.11/32'], checks: ['chk'] },
        VI_3: { ...web, vrid: 53, addresses: ['192.0.2.12/32'] },
      },
      checks: { chk: { exec: ['/bin/true'], interval: '1s', rise: 1, fall: 1 } },
      groups: { VG1: ['VI_1', 'VI_2'] },
    },
    says: ['8 dropped notify_master', '9 dropped smtp_alert', '11 carried vrrp_sync_group VG2'],
  },
  {
    name: 'interfaces that are tracked',
    text: instance('    track_interface {\n        eth1\n        eth2 weight -30\n    }\n    dont_track_primary'),
    becomes: {
      services: { VI_1: { ...web, checks: ['link-eth1', { check: 'link-eth2', weight: -30 }] } },
      checks: { 'link-eth1': { interface: 'eth1' }, 'link-eth2': { interface: 'eth2' } },
    },
    says: ['12 dropped dont_track_primary'],
  },
  {
    name: 'processes and files that are tracked',
    text: `vrrp_track_process nginx {
    process nginx
    weight -10
}
vrrp_track_process pool {
    process /usr/sbin/php-fpm
    quorum 2
}
vrrp_track_file switch {
    file /run/keepalived/switch
}
${instance('    track_process {\n nginx\n pool\n }\n    track_file { switch weight 2 }')}`,
    becomes: {
      services: { VI_1: { ...web, checks: [{ check: 'nginx', weight: -10 }, 'pool'] } },
      checks: {
        nginx: { exec: ['/usr/bin/pgrep', '-x', 'nginx'], interval: '1s' },
        pool: { exec: ['/bin/sh', '-c', `[ "$(pgrep -xc 'php-fpm')" -ge 2 ]`], interval: '1s' },
      },
    },
    says: ['9 dropped vrrp_track_file switch: no file sets a priority', '23 dropped tracking switch'],
  },
  {
    name: 'version 3 over IPv6 and fast; version 3 for all, with the checksum of RFC 9568 for one',
    text: `global_defs {
    vrrp_version 3
}
vrrp_instance six {
    interface eth0
    virtual_router_id 51
    advert_int 0.2
    virtual_ipaddress {
        fe80::10/64
    }
}
${instance('    v3_checksum_as_v2').replace('51', '52')}`,
    becomes: {
      services: {
        six: {
          interface: 'eth0',
          vrid: 51,
          addresses: ['fe80::10/64'],
          interval: '200ms',
          version: 3,
        },
        VI_1: { ...web, vrid: 52, version: 3, checksum: 'rfc9568' },
      },
    },
  },
  {
    name: 'quoted words, an escaped hash, and comments in odd places',
    text: `vrrp_script c { # comment { with } braces "and quotes
    script "/bin/test a#b != '#!'" ! not this
    ! { }
}
${instance('    track_script { "c" weight 5 reverse }\n    "nopreempt"')}`,
    becomes: {
      services: { VI_1: { ...web, preempt: false } },
      checks: { c: { exec: ['/bin/test', 'a#b', '!=', '#!'], interval: '1s', rise: 1, fall: 1 } },
    },
    says: ['12 dropped tracking c: a reversed weight'],
  },
]
