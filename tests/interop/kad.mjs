// Kademlia with js-libp2p's kad-dht: peers, providers and values found both ways, through a guts node in the middle.
//
//      js1 ── hub ── far        js1 and js2 know only the hub, and so does far: all but the hub are found by the DHT
//      js2 ──┘
import { createHash, randomBytes } from 'node:crypto'
import { GutsNode, until } from './gutsnode.mjs'
import { done, group, needsPackages, ok } from './tap.mjs'

needsPackages()
await import('./compat.mjs')
const { jsPeer, multiaddr } = await import('./jspeer.mjs')
const { kadDHT, passthroughMapper } = await import('@libp2p/kad-dht')
const { RecordEnvelope, PeerRecord } = await import('@libp2p/peer-record')
const { CID } = await import('multiformats/cid')
const { sha256 } = await import('multiformats/hashes/sha2')

const PROTOCOL = '/guts/kad/1.0.0'

// The envelope's payload (field 3) under its namespace; the js side checks it as we do.
function payload(envelope) {
  let at = 0
  const varint = () => {
    let v = 0
    for (let shift = 0; ; shift += 7) {
      const b = envelope[at++]
      v += (b & 127) * 2 ** shift
      if (b < 128) return v
    }
  }
  while (at < envelope.length) {
    const tag = varint()
    const n = varint()
    if (tag === 26) return envelope.subarray(at, at + n)
    at += n
  }
}
const first = async () => 0
const lax = async () => {}
async function genesisFits(key, value) {
  const id = createHash('sha256').update(payload(value)).digest()
  if (Buffer.compare(id, Buffer.from(key).subarray('/guts-repo/'.length)) !== 0) throw new Error('another genesis')
}

async function jsDht() {
  const node = await jsPeer({
    dht: kadDHT({
      protocol: PROTOCOL, clientMode: false, peerInfoMapper: passthroughMapper, allowQueryWithZeroPeers: true,
      validators: { 'guts-repo': genesisFits, 'guts-peer': lax }, selectors: { 'guts-repo': first, 'guts-peer': first },
    }),
  })
  await node.services.dht.setMode('server')
  return node
}

async function collect(events, want) {
  for await (const e of events) {
    const got = want(e)
    if (got !== undefined) return got
  }
}

const findPeer = (node, id) => collect(node.services.dht.findPeer(id), (e) => e.name === 'FINAL_PEER' ? e.peer : undefined)
const providers = async (node, cid) => {
  const out = []
  for await (const e of node.services.dht.findProviders(cid)) {
    if (e.name === 'PROVIDER' || e.name === 'PEER_RESPONSE') out.push(...(e.providers ?? []).map((p) => p.id.toString()))
  }
  return out
}

await group('kad', async () => {
  const hub = await GutsNode.start({ sets: ['kad.mode=server', 'seed.default=none'] })
  const far = await GutsNode.start({ sets: ['kad.mode=server', 'seed.default=none'], bootstrap: [hub.addr] })
  const [js1, js2] = [await jsDht(), await jsDht()]
  for (const js of [js1, js2]) await js.dial(multiaddr(hub.addr))
  const { peerIdFromString } = await import('@libp2p/peer-id')
  const entries = async (node) => (await node.get('/dht')).buckets.flatMap((b) => b.entries)

  await until(async () => {
    const ids = (await entries(hub)).filter((e) => e.verified).map((e) => e.peer)
    return [far.id, js1.peerId.toString(), js2.peerId.toString()].every((id) => ids.includes(id))
  }, 'the hub knows all three')
  ok(true, 'a guts node takes js servers into its routing table, after they answered it')
  await until(() => js1.services.dht.routingTable.size > 0, 'js knows the hub')
  ok((await js1.services.dht.routingTable.find(peerIdFromString(hub.id))) !== undefined, 'js takes a guts node into its own')

  const found = await findPeer(js1, peerIdFromString(far.id))
  ok(found?.multiaddrs.some((a) => far.addr.startsWith(a.toString())), 'js finds a guts peer by its id', found?.multiaddrs)
  const look = await far.post('/dht/lookup', { target: js1.peerId.toString() })
  const listens = js1.getMultiaddrs().map((m) => m.toString().replace(/\/p2p\/.*/, ''))
  ok(look.found && look.closest[0].peer === js1.peerId.toString() && look.closest[0].addresses.includes(listens[0]),
    'a guts node finds a js peer by its id', JSON.stringify(look))

  const repo = await far.post('/repos', { name: 'demo' })
  await until(async () => (await providers(js2, CID.parse(repo.id))).includes(far.id), 'js finds the provider')
  ok(true, 'js finds a provider that a guts node announced')
  const cid = CID.createV1(0x55, await sha256.digest(randomBytes(8)))
  for await (const e of js1.services.dht.provide(cid)) void e
  const provided = await far.get('/dht/providers/' + cid.toString())
  ok(provided.length === 1 && provided[0].peer === js1.peerId.toString() && provided[0].addresses.includes(listens[0]),
    'a guts node finds a provider that js announced', JSON.stringify(provided))

  const key = Buffer.concat([Buffer.from('/guts-repo/'), CID.parse(repo.id).multihash.digest])
  const value = await until(() => collect(js1.services.dht.get(key), (e) => e.name === 'VALUE' ? e.value : undefined)
    .catch(() => undefined), 'the genesis record')
  ok(value.length > 100, 'js reads the genesis record that a guts node stored, and its id fits')

  const record = new PeerRecord({ peerId: js1.peerId, multiaddrs: js1.getMultiaddrs() })
  const envelope = await RecordEnvelope.seal(record, js1.components.privateKey)
  const own = Buffer.concat([Buffer.from('/guts-peer/'), js1.peerId.toMultihash().bytes])
  for await (const e of js1.services.dht.put(own, envelope.marshal())) void e
  const read = await far.post('/dht/lookup', { target: js1.peerId.toString(), record: true })
  ok(read.found && Buffer.from(read.record, 'base64').equals(Buffer.from(envelope.marshal())),
    'a guts node reads the peer record that js stored', JSON.stringify(read))
  ok((await hub.get('/dht')).values >= 1, 'and the guts node between them holds it')

  const held = (await hub.get('/dht')).values
  const bad = Buffer.concat([Buffer.from('/guts-peer/'), js2.peerId.toMultihash().bytes])
  await (async () => { for await (const e of js2.services.dht.put(bad, randomBytes(64))) void e })().catch(() => {})
  ok((await hub.get('/dht')).values === held, 'a value that proves nothing is not kept')
  const none = await far.post('/dht/lookup', { target: js2.peerId.toString(), record: true })
  ok(!none.found && none.record === null, 'and not returned')

  for (const js of [js1, js2]) await js.stop()
  for (const node of [far, hub]) await node.stop()
})
done()
