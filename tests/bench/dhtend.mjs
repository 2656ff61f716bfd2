// dhtend.mjs ADDR... - one js-libp2p server in the DHT of the bench: prints its address, then does what it is told.
import { randomBytes } from 'node:crypto'
import { createInterface } from 'node:readline'
import { createLibp2p, load, multiaddr, noise, tcp, yamux } from './packages.mjs'

const { kadDHT, passthroughMapper } = await load('@libp2p/kad-dht')
const { identify } = await load('@libp2p/identify')
const { ping } = await load('@libp2p/ping')

const POLL_MS = 50
const node = await createLibp2p({
  addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  connectionManager: { inboundConnectionThreshold: 10000, maxIncomingPendingConnections: 1000 },
  services: {
    identify: identify(), ping: ping(), // its table wants to ping a peer before it takes it
    dht: kadDHT({ protocol: '/guts/kad/1.0.0', clientMode: false, peerInfoMapper: passthroughMapper, allowQueryWithZeroPeers: true }),
  },
})
const { dht } = node.services
await dht.setMode('server')
for (const addr of process.argv.slice(2)) await node.dial(multiaddr(addr))

async function lookup() {
  for await (const event of dht.getClosestPeers(randomBytes(32))) void event
}

console.log(node.getMultiaddrs()[0].toString())
for await (const line of createInterface({ input: process.stdin })) {
  const [what, a, b] = line.split(' ')
  if (what === 'knows') {
    while (dht.routingTable.size < Number(a)) {
      await lookup()
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
    console.log(dht.routingTable.size)
  } else if (what === 'lookups') {
    const start = process.hrtime.bigint()
    let left = Number(a)
    await Promise.all(Array.from({ length: Number(b) }, async () => {
      while (left-- > 0) await lookup()
    }))
    console.log(Number((process.hrtime.bigint() - start) / 1000n))
  }
}
process.exit(0)
