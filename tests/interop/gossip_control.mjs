// Gossip control with js-libp2p: two hops through js, GRAFT, PRUNE, IHAVE, IWANT and IDONTWANT seen on both sides, and a
// mixed network in which every message reaches everyone.
import { randomBytes } from 'node:crypto'
import { done, group, needsPackages, ok } from './tap.mjs'

needsPackages()
await import('./compat.mjs')
const { multiaddr } = await import('./jspeer.mjs')
const { gossiper, inMesh, text, until } = await import('./gossiper.mjs')
const { Probe } = await import('./probe.mjs')

const TOPIC = 'guts-interop/' + randomBytes(4).toString('hex')
const is = (line) => (m) => text(m.data) === line
const heard = (line) => (e) => e.event === 'heard' && e.data === line

async function probes(n) {
  const all = await Promise.all(Array.from({ length: n }, () => Probe.start()))
  for (const p of all) await p.ask({ cmd: 'subscribe', topic: TOPIC })
  return all
}

const control = (probe) => probe.ask({ cmd: 'control' })
const offences = (c) => ['undecodable', 'oversized', 'bad_signature', 'rejected', 'graft_flood', 'ihave_flood', 'iwant_flood',
  'control_flood', 'too_many_topics', 'broken_promise', 'stalled'].filter((kind) => c[kind] > 0)

await group('two hops through js', async () => {
  const [one, two] = await probes(2)
  const js = await gossiper(TOPIC, { floodPublish: false })
  const address = js.getMultiaddrs()[0].toString()
  for (const p of [one, two]) p.tell({ cmd: 'connect', addr: address })
  for (const p of [one, two]) await inMesh(js, TOPIC, p.ready.peer_id)

  await one.ask({ cmd: 'publish', topic: TOPIC, data: 'from one' })
  const m = await two.next(heard('from one'))
  ok(m.peer === one.ready.peer_id, 'our signed message passes js and reaches another of us, by its author', JSON.stringify(m))
  await two.ask({ cmd: 'publish', topic: TOPIC, data: 'from two' })
  ok((await one.next(heard('from two'))).peer === two.ready.peer_id, 'and the other way')

  let [a, b] = [await control(one), await control(two)]
  const grafts = js.control.graft + a.graft_received + b.graft_received
  ok(grafts >= 2 && a.graft_sent + b.graft_sent >= js.control.graft, 'both links were grafted', JSON.stringify([js.control, a, b]))

  // Who leaves and comes back is in nobody's mesh for ten seconds: what it hears meanwhile was announced and asked for.
  await two.ask({ cmd: 'unsubscribe', topic: TOPIC })
  await until(js, () => !js.services.pubsub.getMeshPeers(TOPIC).includes(two.ready.peer_id))
  ok(js.control.prune >= 1 && (await control(two)).prune_sent >= 1, 'js sees our PRUNE')
  await two.ask({ cmd: 'subscribe', topic: TOPIC })
  await until(js, () => js.services.pubsub.getSubscribers(TOPIC).map(String).includes(two.ready.peer_id))
  await one.ask({ cmd: 'publish', topic: TOPIC, data: 'outside the mesh' })
  await two.next(heard('outside the mesh'))
  b = await control(two)
  ok(b.ihave_received >= 1 && b.iwant_sent >= 1 && js.control.iwant >= 1, "js's IHAVE is answered by our IWANT, and that by the message",
    JSON.stringify([js.control, b]))
  ok(offences(await control(one)).length === 0 && offences(b).length === 0, 'nobody broke a rule')
  await js.stop()
  for (const p of [one, two]) ok((await p.stop()).code === 0, 'the probe ends clean')
})

await group('two hops through us', async () => {
  const [us] = await probes(1)
  const [one, two] = [await gossiper(TOPIC, { floodPublish: false }), await gossiper(TOPIC, { floodPublish: false })]
  for (const node of [one, two]) await node.dial(multiaddr(us.ready.listen))
  for (const node of [one, two]) await inMesh(node, TOPIC, us.ready.peer_id)

  // Large enough for IDONTWANT: told to all in the mesh who have not sent it.
  await one.says('large '.repeat(500))
  await two.hears(is('large '.repeat(500)))
  let c = await control(us)
  ok(two.control.idontwant >= 1 && c.idontwant_sent >= 1, 'js sees our IDONTWANT', JSON.stringify([two.control, c]))
  await us.ask({ cmd: 'publish', topic: TOPIC, data: 'ours '.repeat(500) })
  for (const node of [one, two]) await node.hears(is('ours '.repeat(500)))

  two.services.pubsub.unsubscribe(TOPIC)
  c = await control(us)
  while (c.prune_received === 0) c = await control(us)
  ok(true, "we see js's PRUNE")
  two.services.pubsub.subscribe(TOPIC)
  let mesh = await us.ask({ cmd: 'mesh', topic: TOPIC })
  ok(mesh.bytes === 1, 'and keep the back-off it asks for', mesh.bytes)
  await one.says('outside the mesh')
  const m = await two.hears(is('outside the mesh'))
  c = await control(us)
  ok(m.from.toString() === one.peerId.toString() && c.ihave_sent >= 1 && c.iwant_received >= 1 && two.control.ihave >= 1,
    "our IHAVE is answered by js's IWANT, and that by the message", JSON.stringify([two.control, c]))
  ok(offences(await control(us)).length === 0, 'nobody broke a rule')
  await Promise.all([one.stop(), two.stop()])
  ok((await us.stop()).code === 0, 'the probe ends clean')
})

await group('four of each', async () => {
  const EACH = 10
  const ours = await probes(4)
  const theirs = await Promise.all(Array.from({ length: 4 }, () => gossiper(TOPIC)))
  const where = (i) => (i % 2 ? theirs[i >> 1].getMultiaddrs()[0].toString() : ours[i >> 1].ready.listen)
  const name = (i) => (i % 2 ? theirs[i >> 1].peerId.toString() : ours[i >> 1].ready.peer_id)
  // A ring of both kinds in turn, with a chord from each to the one three further on.
  for (let i = 0; i < 8; i++) {
    for (const k of [(i + 1) % 8, (i + 3) % 8]) {
      if (i % 2) await theirs[i >> 1].dial(multiaddr(where(k)))
      else ours[i >> 1].tell({ cmd: 'connect', addr: where(k) })
    }
  }
  for (let i = 1; i < 8; i += 2) {
    await until(theirs[i >> 1], () => theirs[i >> 1].services.pubsub.getMeshPeers(TOPIC).length >= 2)
  }
  const lines = []
  for (let round = 0; round < EACH; round++) {
    for (let i = 0; i < 8; i++) {
      const line = `${round} of ${name(i)}`
      lines.push([i, line])
      if (i % 2) await theirs[i >> 1].says(line)
      else await ours[i >> 1].ask({ cmd: 'publish', topic: TOPIC, data: line })
    }
  }
  for (const [author, line] of lines) {
    for (let i = 0; i < 8; i++) {
      if (i === author) continue
      const m = i % 2 ? (await theirs[i >> 1].hears(is(line))).from.toString() : (await ours[i >> 1].next(heard(line))).peer
      if (m !== name(author)) throw new Error(`${line} came as ${m}'s`)
    }
  }
  ok(true, `each of ${lines.length} messages reaches all eight, by its author`)
  ok(theirs.every((n) => n.count === 7 * EACH), 'and none comes twice', theirs.map((n) => n.count).join(' '))
  const bad = (await Promise.all(ours.map(control))).flatMap(offences)
  ok(bad.length === 0, 'nobody broke a rule', bad.join(' '))
  await Promise.all(theirs.map((n) => n.stop()))
  for (const p of ours) ok((await p.stop()).code === 0, 'the probe ends clean')
})

done()
