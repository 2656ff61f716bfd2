// gossipend.mjs - the js-libp2p end of measured gossip; the words are those of gossipend.c.
import { createInterface } from 'node:readline'
import { createLibp2p, load, multiaddr, noise, tcp, yamux } from './packages.mjs'

const { gossipsub } = await load('@libp2p/gossipsub')
const { identify } = await load('@libp2p/identify')

const TOPIC = 'guts-bench'
const DATA_BYTES = 256

const node = await createLibp2p({
  addresses: { listen: process.argv[2] === 'serve' ? ['/ip4/127.0.0.1/tcp/0'] : [] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: { identify: identify(), pubsub: gossipsub({ globalSignaturePolicy: 'StrictSign' }) },
})
const { pubsub } = node.services

let delivered = 0
let expected = -1
let published = 0
pubsub.addEventListener('message', () => {
  if (++delivered === expected) console.log(delivered)
})

async function publish(count) {
  for (let i = 0; i < count; i++) {
    const data = new Uint8Array(DATA_BYTES)
    new DataView(data.buffer).setUint32(0, published++)
    await pubsub.publish(TOPIC, data)
    if (i % 16 === 0) await new Promise((resolve) => setImmediate(resolve)) // let the socket write
  }
}

const subscribed = new Promise((resolve) => {
  pubsub.addEventListener('subscription-change', (e) => {
    if (e.detail.subscriptions.some((s) => s.topic === TOPIC && s.subscribe)) resolve()
  })
})
pubsub.subscribe(TOPIC)
if (process.argv[2] === 'serve') {
  console.log(node.getMultiaddrs()[0].toString())
} else {
  await node.dial(multiaddr(process.argv[3]))
  await subscribed
  console.log('ready')
}
for await (const line of createInterface({ input: process.stdin })) {
  const [what, n] = line.split(' ')
  if (what === 'expect') {
    delivered = 0
    expected = Number(n)
    console.log(0)
  } else if (what === 'publish') {
    await publish(Number(n))
  }
}
process.exit(0)
