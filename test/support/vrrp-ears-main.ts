/**
 * Says as lines on standard output on which of eth0's and a device's sockets an IPv4 advertisement was heard: the
 * process behind the measurements of test/lab/macvlan.test.ts. Argument: the device's name.
 */
import { writeSync } from 'node:fs'
import { interfaceIndex, pollSetOf, ppoll } from '../../node-agent/linux/libc.ts'
import { openVrrpSocket } from '../../node-agent/linux/packet-socket.ts'

const sockets = ['eth0', process.argv[2]!].map((name) => {
  const listening = { interface: name, family: 'ipv4', multicast: true } as const
  return { name: name === 'eth0' ? 'interface' : 'device', socket: openVrrpSocket(listening, interfaceIndex(name)!) }
})
const poll = pollSetOf(sockets.map(({ socket }) => socket.fd))
writeSync(1, 'ready\n')
for (;;) {
  ppoll(poll, undefined)
  for (const { name, socket } of sockets) for (const _ of socket.drain()) writeSync(1, `${name}\n`)
}
