// Promise.withResolvers came with Node 22; js-libp2p calls it.  Import this before libp2p.
Promise.withResolvers ??= function withResolvers() {
  const out = {}
  out.promise = new this((resolve, reject) => Object.assign(out, { resolve, reject }))
  return out
}
