/** Shapes of virtual routers, of what surrounds them, and of the syntax. */
import { instance, type Shape, web } from './shape.ts'

export const routerShapes: readonly Shape[] = [
  {
    name: 'one of a MASTER and BACKUP pair',
    text: `vrrp_instance VI_1 {
    state MASTER
    interface eth0
    virtual_router_id 51
    priority 101
    advert_int 1
    virtual_ipaddress {
        192.0.2.10
    }
}
`,
    becomes: { services: { VI_1: { ...web, interval: '1s' } } },
    says: ['2 carried state', '4 carried virtual_router_id: as vrid'],
  },
  {
    name: 'braces on lines of their own, tabs, both comments, blocks in one line',
    text: `! Configuration File for keepalived
vrrp_script chk_nginx { script "/usr/bin/pgrep nginx" } # why not
vrrp_instance VI_1
{
\tinterface eth0   ! the LAN
\tvirtual_router_id 51
\tpriority 101
\ttrack_script
\t{
\t\tchk_nginx\t\t# trailing
\t}
\tvirtual_ipaddress { 192.0.2.10 } }
`,
    becomes: {
      services: { VI_1: { ...web, checks: ['chk_nginx'] } },
      checks: { chk_nginx: { exec: ['/usr/bin/pgrep', 'nginx'], interval: '1s', rise: 1, fall: 1 } },
    },
  },
  {
    name: 'a brace glued to a name, Windows line ends and a byte order mark',
    text: `\uFEFF${instance('    nopreempt').replace('VI_1 {', 'VI_1{')}`.replaceAll('\n', '\r\n'),
    becomes: { services: { VI_1: { ...web, preempt: false } } },
  },
  {
    name: 'a brace that is missing before a group',
    text: `vrrp_sync_group VG1
   group {
     VI_1
     VI_2
   }
}
${instance('')}${instance('').replaceAll('VI_1', 'VI_2').replace('51', '52').replace('2.10', '2.11')}`,
    becomes: {
      services: { VI_1: web, VI_2: { ...web, vrid: 52, addresses: ['192.0.2.11/32'] } },
      groups: { VG1: ['VI_1', 'VI_2'] },
    },
    says: ['1 changed vrrp_sync_group VG1: its { is missing'],
  },
  {
    name: 'a password in clear text',
    text: instance(`    authentication {
        auth_type PASS
        auth_pass longer-than-eight
    }`),
    becomes: {
      services: { VI_1: { ...web, authentication: { type: 'pass', password: `\${HOLDFAST_VI_1_PASSWORD}` } } },
    },
    says: [
      '10 changed auth_pass: the password is not written down: set HOLDFAST_VI_1_PASSWORD',
      'where the agent is started, to its first 8 characters',
    ],
  },
  {
    name: 'IPSEC-AH, which nothing else speaks',
    text: instance('    authentication { auth_type AH\n auth_pass secret }'),
    becomes: { services: { VI_1: web } },
    says: ['8 dropped authentication'],
  },
  {
    name: 'unicast, with this node’s own address among the peers',
    text: instance(`    unicast_src_ip 198.51.100.11
    unicast_peer {
        198.51.100.11
        198.51.100.12
        198.51.100.13
    }`),
    becomes: {
      services: {
        VI_1: { ...web, unicast: { source: '198.51.100.11', peers: ['198.51.100.12', '198.51.100.13'], minTtl: 1 } },
      },
    },
    says: ['9 changed unicast_peer: keepalived looks at no TTL'],
  },
  {
    name: 'unicast with hops between, and bounds for them',
    text: instance(`    unicast_ttl 64
    unicast_peer {
        198.51.100.12 min_ttl 60 max_ttl 64
        198.51.100.13 min_ttl 62
    }`),
    becomes: {
      services: { VI_1: { ...web, unicast: { peers: ['198.51.100.12', '198.51.100.13'], ttl: 64, minTtl: 60 } } },
    },
  },
  {
    name: 'patience, for all and for one',
    text: `global_defs {
    vrrp_startup_delay 2.5
    vrrp_down_timer_adverts 4
}
${instance('    down_timer_adverts 5')}${instance('').replace('VI_1', 'VI_2').replace('51', '52').replace('.10', '.11')}`,
    becomes: {
      services: {
        VI_1: { ...web, down: 5, startDelay: '2500ms' },
        VI_2: { ...web, vrid: 52, addresses: ['192.0.2.11/32'], down: 4, startDelay: '2500ms' },
      },
    },
  },
  {
    name: 'IPv6 without a link-local address, on a virtual MAC',
    text: instance('    use_vmac\n    no_accept').replace('192.0.2.10', '2001:db8::10/64'),
    becomes: {
      services: {
        VI_1: {
          ...{ ...web, addresses: ['fe80::51/64', '2001:db8::10/64'], version: 3 },
          ...{ accept: false, virtualMac: true },
        },
      },
    },
    says: ['5 changed virtual_ipaddress: added, since RFC 9568 has a link-local address first'],
  },
  {
    name: 'both nodes BACKUP and sticky; a delay beside it is ignored',
    text: instance('    state BACKUP\n    nopreempt\n    preempt_delay 30'),
    becomes: { services: { VI_1: { ...web, preempt: false } } },
    says: ['10 changed preempt_delay: left out'],
  },
  {
    name: 'a delay before preempting',
    text: instance('    preempt_delay 30.5'),
    becomes: { services: { VI_1: { ...web, preempt: { delay: '30500ms' } } } },
  },
  {
    name: 'nopreempt with state MASTER, which keepalived clears; MASTER without a priority is 255',
    text: instance('    state MASTER\n    nopreempt').replace('    priority 101\n', ''),
    becomes: { services: { VI_1: { ...web, priority: 255 } } },
    says: ['8 changed nopreempt: left out', '1 changed vrrp_instance: keepalived takes 255'],
  },
  {
    name: 'the copied global_defs, strict included',
    text: `global_defs {
    notification_email {
        ops@example.org
    }
    notification_email_from ka@example.org
    smtp_server 127.0.0.1
    smtp_connect_timeout 30
    router_id LVS_DEVEL
    vrrp_skip_check_adv_addr
    vrrp_strict
    vrrp_garp_interval 0
    vrrp_gna_interval 0
    enable_script_security
    script_user root
}
${instance('')}`,
    becomes: { services: { VI_1: { ...web, profile: 'strict', accept: false } } },
    says: [
      '2 dropped notification_email',
      '8 dropped router_id',
      '9 carried vrrp_skip_check_adv_addr',
      '14 dropped script_user',
    ],
  },
  {
    name: 'addresses with options, one of them on another interface',
    text: instance('').replace(
      '        192.0.2.10\n',
      `        192.0.2.10/24 brd 192.0.2.255 dev eth0 label eth0:vip scope global
        2001:db8::10/64 dev eth1 no_track
        2001:db8::11 -nodad
`,
    ),
    becomes: { services: { VI_1: { ...web, addresses: ['192.0.2.10/24', '2001:db8::11/128'] } } },
    says: ['6 changed address 192.0.2.10/24: without label', '7 dropped address 2001:db8::10/64: it is on eth1'],
  },
  {
    name: 'gratuitous ARP, for all and for one',
    text: `global_defs {
    vrrp_garp_master_refresh 60
    vrrp_garp_master_repeat 2
}
${instance('    garp_master_delay 1\n    garp_master_repeat 3\n    garp_lower_prio_repeat 5')}`,
    becomes: { services: { VI_1: { ...web, announce: { repeat: 3, again: '1s', refresh: '60s' } } } },
    says: ['14 dropped garp_lower_prio_repeat'],
  },
  {
    name: 'excluded addresses, routes and rules',
    text: instance(`    virtual_ipaddress_excluded {
        203.0.113.5/24
        2001:db8::5/64
    }
    virtual_routes {
        default via 192.0.2.1 dev eth0 onlink table 1
    }
    virtual_rules {
        from 192.0.2.10/32 table 1 priority 100
    }`),
    becomes: {
      services: { VI_1: { ...web, addresses: ['192.0.2.10/32', '203.0.113.5/24', '2001:db8::5/64'] } },
    },
    says: [
      '9 changed address 203.0.113.5/24: it is advertised now',
      '12 dropped virtual_routes',
      '15 dropped virtual_rules',
    ],
  },
  {
    name: 'a virtual MAC',
    text: instance('    use_vmac vrrp51\n    vmac_xmit_base'),
    becomes: { services: { VI_1: { ...web, virtualMac: true } } },
    says: ['9 dropped vmac_xmit_base'],
  },
  {
    name: 'version 2 with a fraction of a second, which it cannot say, and a priority out of range',
    text: instance('    advert_int 0.4').replace('101', '300'),
    becomes: { services: { VI_1: { ...web, priority: 100, interval: '1s' } } },
    says: ['8 changed advert_int: keepalived takes 1s for 0.4', '4 changed priority: keepalived takes 100'],
  },
  {
    name: 'includes, host ids and definitions',
    text: `include conf.d/*.conf
include nothing/*.conf
$PRIO=101
$BODY= virtual_ipaddress { \\
    192.0.2.10 \\
}
vrrp_instance VI_1 {
    interface eth0
    @n1 priority $PRIO
    @^n1 priority 90
    virtual_router_id \${VRID}
    $BODY
    @n2 nopreempt
}
`,
    files: { 'conf.d/a.conf': '$VRID=51\n', 'conf.d/b.conf': 'vrrp_script unused { script /bin/true }\n' },
    becomes: {
      services: { VI_1: web },
      checks: { unused: { exec: ['/bin/true'], interval: '1s', rise: 1, fall: 1 } },
    },
    says: ['2 dropped include nothing/*.conf: no file matches'],
  },
  {
    name: 'repetitions',
    text: `$VI=vrrp_instance V\${ID} { \\
    interface eth\${ID} \\
    virtual_router_id \${ID} \\
    virtual_ipaddress { \\
        ~LST(LAST, 10, 11) 192.0.\${ID}.\${LAST}/24 \\
    } \\
}
~SEQ(ID, 4, -2, 2) $VI
`,
    becomes: {
      services: {
        V4: { interface: 'eth4', vrid: 4, addresses: ['192.0.4.10/24', '192.0.4.11/24'], version: 2 },
        V2: { interface: 'eth2', vrid: 2, addresses: ['192.0.2.10/24', '192.0.2.11/24'], version: 2 },
      },
    },
  },
  {
    name: 'LVS, static addresses and BFD beside VRRP',
    text: `static_ipaddress {
    192.0.2.1/24 dev eth0
}
bfd_instance peer {
    neighbor_ip 192.0.2.2
}
virtual_server 192.0.2.10 80 {
    delay_loop 6
    lb_algo rr
    lb_kind DR
    real_server 192.0.2.21 80 {
        TCP_CHECK {
            connect_timeout 3
        }
    }
}
${instance('')}`,
    becomes: { services: { VI_1: web } },
    says: ['1 dropped static_ipaddress', '4 dropped bfd_instance peer', '7 dropped virtual_server 192.0.2.10'],
  },
  {
    name: 'names that Holdfast does not allow, a name twice, and keywords that nobody knows',
    text: `${instance('    autp_pass hunter2\n    // no comment').replace('VI_1', 'kube-system/web')}${instance('')
      .replace('51', '52')
      .replace('2.10', '2.11')}${instance('')}lvs_id secretish
`,
    becomes: {
      services: { 'kube-system-web': web, VI_1: { ...web, vrid: 52, addresses: ['192.0.2.11/32'] } },
    },
    says: [
      '1 changed vrrp_instance kube-system/web: its name was kube-system/web',
      '8 dropped autp_pass: Holdfast has nothing of this name',
      '9 dropped //: Holdfast has nothing of this name',
      '20 dropped vrrp_instance VI_1: its name is taken',
      '29 dropped lvs_id',
    ],
  },
]
