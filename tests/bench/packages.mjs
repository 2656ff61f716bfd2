// The npm packages of tests/interop, for the js-libp2p sides of the benches.
import '../interop/compat.mjs'
import { load } from '../interop/load.mjs'

const { createLibp2p } = await load('libp2p')
const { tcp } = await load('@libp2p/tcp')
const { noise } = await load('@libp2p/noise')
const { yamux } = await load('@libp2p/yamux')
const { multiaddr } = await load('@multiformats/multiaddr')

export { createLibp2p, load, multiaddr, noise, tcp, yamux }
