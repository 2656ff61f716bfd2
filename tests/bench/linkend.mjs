// linkend.mjs - the js-libp2p end of a measured link; the words are those of linkend.c.  After them, "whole"
// makes it a peer with identify and ping, as tests/interop/peer_probe is on our side.
import { createInterface } from 'node:readline'
import { createLibp2p, load, multiaddr, noise, tcp, yamux } from './packages.mjs'

const SINK = '/bench/sink/1'
const SOURCE = '/bench/source/1'
const ECHO = '/bench/echo/1'
const CHUNK = new Uint8Array(64 * 1024).fill(98)

const services = {}
if (process.argv.at(-1) === 'whole') {
  const { identify, identifyPush } = await load('@libp2p/identify')
  const { ping } = await load('@libp2p/ping')
  Object.assign(services, { identify: identify(), push: identifyPush(), ping: ping() })
}
const makeNode = (listen) => createLibp2p({
  addresses: { listen },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services,
  connectionManager: { inboundConnectionThreshold: 1e9, maxIncomingPendingConnections: 1000, maxParallelDials: 100 },
  connectionMonitor: { enabled: false },
})
const node = await makeNode(process.argv[2] === 'serve' ? ['/ip4/127.0.0.1/tcp/0'] : [])

function say(...words) {
  process.stdout.write(words.map((w) => (typeof w === 'bigint' ? w : Math.round(w))).join(' ') + '\n')
}

async function send(stream, bytes) {
  for (let left = bytes; left > 0; left -= CHUNK.length) {
    if (!stream.send(left < CHUNK.length ? CHUNK.subarray(0, left) : CHUNK)) await stream.onDrain()
  }
}

async function receive(stream) {
  let n = 0
  for await (const chunk of stream) n += chunk.byteLength
  return n
}

async function serve() {
  await node.handle(SINK, async (stream) => {
    await receive(stream)
    stream.send(Uint8Array.of(107))
    await stream.close()
  })
  await node.handle(SOURCE, async (stream) => {
    for await (const chunk of stream) {
      const bytes = chunk.subarray()
      await send(stream, Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0)))
      break
    }
    await stream.close()
  })
  await node.handle(ECHO, async (stream) => {
    for await (const chunk of stream) stream.send(chunk)
    await stream.close()
  })
  console.log(node.getMultiaddrs()[0].toString())
}

const now = () => process.hrtime.bigint()

// A node joins dials to one peer that are under way at once, so each dialler is a node of its own.
const diallers = []
async function handshakes(addr, ms, atATime) {
  while (diallers.length < atATime) diallers.push(await makeNode([]))
  const start = now()
  const end = start + BigInt(ms) * 1000000n
  let count = 0
  await Promise.all(diallers.slice(0, atATime).map(async (dialler) => {
    while (now() < end) {
      const conn = await dialler.dial(addr)
      count++
      await conn.close().catch((err) => conn.abort(err)) // the other side may have been faster
    }
  }))
  say(count, now() - start)
}

async function up(conn, bytes) {
  const start = now()
  const stream = await conn.newStream(SINK)
  const reader = receive(stream)
  await send(stream, bytes)
  await stream.close()
  await reader
  say(bytes, now() - start)
}

async function down(conn, bytes) {
  const start = now()
  const stream = await conn.newStream(SOURCE)
  const ask = new Uint8Array(8)
  new DataView(ask.buffer).setBigUint64(0, BigInt(bytes))
  stream.send(ask)
  const n = await receive(stream)
  say(n, now() - start)
  await stream.close()
}

let pings
async function ping(conn, count) {
  pings ??= await conn.newStream(ECHO)
  const rtts = []
  const data = new Uint8Array(32)
  let got = 0
  await new Promise((resolve) => {
    let sentAt = now()
    const onMessage = (e) => {
      got += e.data.byteLength
      if (got < data.length) return
      got = 0
      rtts.push(Number(now() - sentAt))
      if (rtts.length === count) {
        pings.removeEventListener('message', onMessage)
        return resolve()
      }
      sentAt = now()
      pings.send(data)
    }
    pings.addEventListener('message', onMessage)
    pings.send(data)
  })
  rtts.sort((a, b) => a - b)
  say(rtts[Math.floor(count / 2)], rtts[Math.floor(count * 99 / 100)])
}

if (process.argv[2] === 'serve') {
  await serve()
  process.stdin.on('end', () => process.exit(0)).resume()
} else {
  const addr = multiaddr(process.argv[3])
  const conn = await node.dial(addr)
  console.log('ready')
  for await (const line of createInterface({ input: process.stdin })) {
    const [what, n, m] = line.split(' ')
    if (what === 'handshakes') await handshakes(addr, Number(n), Number(m))
    else if (what === 'up') await up(conn, Number(n))
    else if (what === 'down') await down(conn, Number(n))
    else if (what === 'ping') await ping(conn, Number(n))
  }
  process.exit(0)
}
