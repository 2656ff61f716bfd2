// js-libp2p against our peer manager, over TCP, Noise and yamux: it dials us and we dial it.
import { randomBytes, createHash } from 'node:crypto'
import { done, group, needsPackages, ok } from './tap.mjs'

needsPackages()
await import('./compat.mjs')
const { ECHO, jsPeer, multiaddr } = await import('./jspeer.mjs')
const { Probe } = await import('./probe.mjs')

const BULK = 8 * 1024 * 1024 + 12345
const CHUNK = 64 * 1024

// Send `data`, read until the end, and give what came back.
async function echo(stream, data) {
  const hash = createHash('sha256')
  let n = 0
  const reader = (async () => {
    for await (const chunk of stream) {
      const bytes = chunk.subarray()
      hash.update(bytes)
      n += bytes.length
    }
  })()
  for (let at = 0; at < data.length; at += CHUNK) {
    if (!stream.send(data.subarray(at, at + CHUNK))) await stream.onDrain()
  }
  await stream.close()
  await reader
  return { n, digest: hash.digest('hex') }
}

// The peer's identify result as js keeps it.
async function identified(node, peerId) {
  for (;;) {
    const peer = await node.peerStore.get(peerId).catch(() => undefined)
    if (peer?.metadata.has('AgentVersion')) return peer
    await new Promise((resolve) => node.addEventListener('peer:identify', resolve, { once: true }))
  }
}

async function both(node, probe, inbound) {
  const id = probe.ready.peer_id
  const js = node.peerId.toString()

  const heard = await probe.next((e) => e.event === 'identified' && e.peer === js)
  ok(heard.agent.startsWith('js-libp2p/'), 'we know its agent', heard.agent)
  ok(heard.protocols.includes(ECHO) && heard.protocols.includes('/ipfs/ping/1.0.0'), 'we know its protocols')
  const listens = node.getMultiaddrs().map((m) => m.toString().replace(/\/p2p\/.*/, ''))
  ok(heard.addrs.includes(listens[0]), 'we know where it listens', heard.addrs)

  const [conn] = node.getConnections().filter((c) => c.remotePeer.toString() === id)
  ok(conn?.multiplexer === '/yamux/1.0.0' && conn?.encryption === '/noise', 'yamux over noise')
  const peer = await identified(node, conn.remotePeer)
  ok(new TextDecoder().decode(peer.metadata.get('AgentVersion')) === 'guts-probe/1', 'it knows our agent')
  ok(peer.protocols.includes(ECHO), 'it knows our protocols', peer.protocols)
  ok(peer.addresses.some((a) => probe.ready.listen.startsWith(a.multiaddr.toString())), 'it knows where we listen',
    peer.addresses.map((a) => a.multiaddr))
  ok(peer.peerRecordEnvelope !== undefined, 'it took our signed peer record')

  const rtt = await node.services.ping.ping(conn.remotePeer)
  ok(rtt >= 0, 'it pings us')
  const pong = await probe.ask({ cmd: 'ping', peer: js, count: 20 })
  ok(pong.ok === true, 'we ping it', JSON.stringify(pong))

  const data = randomBytes(BULK)
  const back = await echo(await conn.newStream(ECHO), data)
  ok(back.n === BULK && back.digest === createHash('sha256').update(data).digest('hex'), 'its bulk comes back whole', back.n)
  const ours = await probe.ask({ cmd: 'echo', peer: js, bytes: BULK })
  ok(ours.ok === true && ours.bytes === BULK, 'our bulk comes back whole', JSON.stringify(ours))

  const many = await Promise.all(Array.from({ length: 20 }, async (_, i) => {
    const part = randomBytes(1 + i * 5000)
    return (await echo(await conn.newStream(ECHO), part)).digest === createHash('sha256').update(part).digest('hex')
  }))
  ok(many.every(Boolean), 'twenty streams at once')
  const refused = await conn.newStream('/guts/none/1.0.0').then(() => 'opened', (err) => err.name)
  ok(refused === 'UnsupportedProtocolError', 'an unknown protocol is refused', refused)
  const none = await probe.ask({ cmd: 'open', peer: js, protocol: '/guts/none/1.0.0' })
  ok(none.ok === false && none.err === 'unsupported', 'and so we are', JSON.stringify(none))

  const state = await probe.ask({ cmd: 'state', peer: js })
  ok(state.inbound === inbound && state.bytes_in > BULK && state.bytes_out > BULK && state.rtt_ns > 0, 'our peer state', JSON.stringify(state))
}

await group('js dials us', async () => {
  const node = await jsPeer()
  const probe = await Probe.start()

  await node.dial(multiaddr(probe.ready.listen))
  const up = await probe.next((e) => e.event === 'connected')
  ok(up.peer === node.peerId.toString() && up.inbound === true, 'js dials us')
  await both(node, probe, true)

  // A protocol that appears later is pushed.
  const updated = new Promise((resolve) => node.addEventListener('peer:update', (e) => {
    if (e.detail.peer.protocols.includes('/guts/test/late/1.0.0')) resolve()
  }))
  probe.tell({ cmd: 'serve', protocol: '/guts/test/late/1.0.0' })
  await updated
  ok(true, 'our identify push reaches it')
  await node.handle('/js/late/1.0.0', () => {})
  await probe.next((e) => e.event === 'identified' && e.protocols.includes('/js/late/1.0.0'))
  ok(true, 'its identify push reaches us')

  const gone = new Promise((resolve) => node.addEventListener('peer:disconnect', resolve, { once: true }))
  probe.tell({ cmd: 'disconnect', peer: node.peerId.toString() })
  await gone
  ok(true, 'our goodbye reaches it')
  await node.stop()
  ok((await probe.stop()).code === 0, 'the probe ends clean')
})

await group('we dial js', async () => {
  const node = await jsPeer()
  const probe = await Probe.start()

  probe.tell({ cmd: 'connect', addr: node.getMultiaddrs()[0].toString() })
  const up = await probe.next((e) => e.event === 'connected')
  ok(up.peer === node.peerId.toString() && up.inbound === false, 'we dial js')
  await both(node, probe, false)
  await node.stop()
  const down = await probe.next((e) => e.event === 'disconnected')
  ok(down.peer === node.peerId.toString(), 'its goodbye reaches us')
  ok((await probe.stop()).code === 0, 'the probe ends clean')
})

await group('another peer than expected', async () => {
  const node = await jsPeer()
  const other = await jsPeer()
  const probe = await Probe.start()

  const wrong = node.getMultiaddrs()[0].toString().replace(node.peerId.toString(), other.peerId.toString())
  probe.tell({ cmd: 'connect', addr: wrong })
  const failed = await probe.next((e) => e.event === 'dial_failed')
  ok(failed.err === 'denied', 'we refuse it', JSON.stringify(failed))
  const theirs = await node.dial(multiaddr(probe.ready.listen.replace(probe.ready.peer_id, other.peerId.toString())))
    .then(() => 'connected', (err) => err.name)
  ok(theirs !== 'connected', 'js refuses us under another name', theirs)
  await Promise.all([node.stop(), other.stop()])
  ok((await probe.stop()).code === 0, 'the probe ends clean')
})

done()
