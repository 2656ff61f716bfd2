// Our links beside js-libp2p's in one run: new links per second, an echo of bulk, round trips.
//
// Each side is two processes on loopback; rounds take turns, medians and their ratio are told.
// What is measured includes the peer manager of each (identify, limits, tables).
import { spawn, execFileSync } from 'node:child_process'
import { createInterface } from 'node:readline'

const interop = new URL('../interop/', import.meta.url)
const { needsPackages } = await import(new URL('tap.mjs', interop))
needsPackages()
await import(new URL('compat.mjs', interop))
const { Probe } = await import(new URL('probe.mjs', interop))
const { jsPeer, multiaddr, ECHO } = await import(new URL('jspeer.mjs', interop))

const ROUNDS = Number(process.env.GUTS_BENCH_ROUNDS ?? 3)
const LINKS = 100
const BULK = 256 << 20
const PINGS = 2000
const CHUNK = 64 << 10

if (process.argv[2] === 'serve') {
  const node = await jsPeer()
  console.log(node.getMultiaddrs()[0].toString())
  process.stdin.on('end', () => process.exit(0)).resume()
} else {
  await main()
}

function seconds(from) {
  return Number(process.hrtime.bigint() - from) / 1e9
}

async function ours() {
  const [a, b] = [await Probe.start(), await Probe.start()]
  const out = {}
  let from = process.hrtime.bigint()
  await a.ask({ cmd: 'redial', addr: b.ready.listen, count: LINKS })
  out.links = LINKS / seconds(from)
  a.tell({ cmd: 'connect', addr: b.ready.listen })
  await a.next((e) => e.event === 'identified')
  from = process.hrtime.bigint()
  await a.ask({ cmd: 'echo', peer: b.ready.peer_id, bytes: BULK, blind: 1 })
  out.bulk = BULK / seconds(from) / 1e6
  from = process.hrtime.bigint()
  await a.ask({ cmd: 'ping', peer: b.ready.peer_id, count: PINGS })
  out.rtt = seconds(from) / PINGS * 1e6
  await a.stop()
  await b.stop()
  return out
}

async function theirs() {
  const child = spawn(process.execPath, [new URL(import.meta.url).pathname, 'serve'], { stdio: ['pipe', 'pipe', 'inherit'] })
  const addr = multiaddr(await new Promise((resolve) => createInterface({ input: child.stdout }).once('line', resolve)))
  const node = await jsPeer()
  const out = {}
  let from = process.hrtime.bigint()
  for (let i = 0; i < LINKS; i++) await (await node.dial(addr)).close()
  out.links = LINKS / seconds(from)
  const conn = await node.dial(addr)
  from = process.hrtime.bigint()
  await echo(await conn.newStream(ECHO), BULK)
  out.bulk = BULK / seconds(from) / 1e6
  from = process.hrtime.bigint()
  await pings(await conn.newStream('/ipfs/ping/1.0.0'))
  out.rtt = seconds(from) / PINGS * 1e6
  await node.stop()
  child.stdin.end()
  return out
}

async function echo(stream, total) {
  const data = new Uint8Array(CHUNK)
  const reader = (async () => {
    let n = 0
    for await (const chunk of stream) {
      n += chunk.byteLength
      if (n === total) return
    }
  })()
  for (let at = 0; at < total; at += CHUNK) if (!stream.send(data)) await stream.onDrain()
  await stream.close()
  await reader
}

async function pings(stream) {
  let n = 0
  stream.send(new Uint8Array(32))
  for await (const chunk of stream) {
    n += chunk.byteLength
    if (n === PINGS * 32) break
    if (n % 32 === 0) stream.send(new Uint8Array(32))
  }
  stream.abort(new Error('done'))
}

function median(list) {
  return list.toSorted((a, b) => a - b)[list.length >> 1]
}

async function main() {
  execFileSync('make', ['-s', 'tests/interop/peer_probe'], { cwd: process.env.GUTS_BUILDDIR ?? '.', stdio: 'inherit' })
  const us = []
  const them = []
  for (let i = 0; i < ROUNDS; i++) {
    us.push(await ours())
    them.push(await theirs())
  }
  const rows = [['links', 'new links per second', false], ['bulk', 'echo of 256 MiB, MB/s each way', false], ['rtt', 'ping round trip, us', true]]
  for (const [key, text, less] of rows) {
    const a = median(us.map((r) => r[key]))
    const b = median(them.map((r) => r[key]))
    console.log(`${text.padEnd(32)} ours ${a.toFixed(1).padStart(8)}   js-libp2p ${b.toFixed(1).padStart(8)}   ratio ${(less ? b / a : a / b).toFixed(1)}`)
  }
  process.exit(0)
}
