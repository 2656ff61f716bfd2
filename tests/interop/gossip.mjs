// Signed gossip with js-libp2p's gossipsub: both ways, and through us from one js peer to another.
import { randomBytes } from 'node:crypto'
import { done, group, needsPackages, ok } from './tap.mjs'

needsPackages()
await import('./compat.mjs')
const { multiaddr } = await import('./jspeer.mjs')
const { gossiper, inMesh, text } = await import('./gossiper.mjs')
const { Probe } = await import('./probe.mjs')

const TOPIC = 'guts-interop/' + randomBytes(4).toString('hex')

await group('gossip', async () => {
  const probe = await Probe.start()
  const us = probe.ready.peer_id
  const [first, second] = [await gossiper(TOPIC), await gossiper(TOPIC)]
  const id = first.peerId.toString()

  ok((await probe.ask({ cmd: 'subscribe', topic: TOPIC })).ok, 'we subscribe')
  await first.dial(multiaddr(probe.ready.listen))
  probe.tell({ cmd: 'connect', addr: second.getMultiaddrs()[0].toString() })
  await Promise.all([inMesh(first, TOPIC, us), inMesh(second, TOPIC, us)])
  ok(first.services.pubsub.getSubscribers(TOPIC).map(String).includes(us), 'it knows our subscription')
  const mesh = await probe.ask({ cmd: 'mesh', topic: TOPIC })
  ok(mesh.bytes === 2, 'both are in our mesh', mesh.bytes)

  await first.says('from js')
  const heard = await probe.next((e) => e.event === 'heard' && e.data === 'from js')
  ok(heard.peer === id && heard.topic === TOPIC, 'its signed message reaches us, by its author', JSON.stringify(heard))
  const relayed = await second.hears((m) => text(m.data) === 'from js')
  ok(relayed.type === 'signed' && relayed.from.toString() === id, 'and through us another js peer')

  ok((await probe.ask({ cmd: 'publish', topic: TOPIC, data: 'from us' })).ok, 'we publish')
  for (const node of [first, second]) {
    const m = await node.hears((x) => text(x.data) === 'from us')
    ok(m.type === 'signed' && m.from.toString() === us, 'our signed message reaches js')
  }

  // Many, in both directions at once; nothing is lost and nothing comes twice.
  const lines = Array.from({ length: 50 }, (_, i) => `line ${i}`)
  for (const line of lines) {
    await second.says(`js ${line}`)
    probe.tell({ cmd: 'publish', topic: TOPIC, data: `us ${line}` })
  }
  for (const line of lines) {
    await probe.next((e) => e.event === 'heard' && e.data === `js ${line}`)
    await first.hears((m) => text(m.data) === `js ${line}`)
    await first.hears((m) => text(m.data) === `us ${line}`)
  }
  ok(true, 'a hundred messages arrive')

  await Promise.all([first.stop(), second.stop()])
  ok((await probe.stop()).code === 0, 'the probe ends clean')
})

done()
