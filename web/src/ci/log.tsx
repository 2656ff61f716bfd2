// What a job says, as it says it.
//
// Commands write for terminals: their escape sequences are left out, and of a line that was written over only its
// last form is shown.  The rest is text, whatever it looks like.  The newest part is kept, in pieces, so that only
// the last one is laid out anew when more comes.
import { useEffect, useRef, useState } from 'preact/hooks'
import { ApiError, repoBase, send } from '../api'
import { listen } from '../live'
import { bytes, plain } from '../text'
import { Card, Empty, Problem } from '../ui'

const KEPT = 512 << 10 // [characters]
const PIECE = 16 << 10 // [characters]
const AGAIN_MS = 3000 // without word from the node: the job may run on another one

const ESCAPES = /\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])/g
const clean = (s: string) => plain(s.replace(ESCAPES, '').replace(/\r+\n/g, '\n').replace(/[^\n]*\r(?=[^\n])/g, ''))

// Text in pieces that end with a line, unless the line is longer than a piece.
class Tail {
	done: string[] = []
	last = '' // as it came
	left = 0 // characters that are no longer kept
	private decoder = new TextDecoder()

	add(data: ArrayBuffer) {
		this.last += this.decoder.decode(data, { stream: true })
		while (this.last.length > PIECE) {
			const end = this.last.lastIndexOf('\n', PIECE) + 1 || PIECE
			this.done.push(clean(this.last.slice(0, end)))
			this.last = this.last.slice(end)
		}
		for (let n = this.done.length * PIECE; n > KEPT; n -= PIECE) this.left += this.done.shift()!.length
	}
}

interface Read {
	tail: Tail
	offset: number
	open: boolean
	error?: ApiError
}

// Reads on while the job is open.
function useTail(url: string, job: string): Read {
	const [now, set] = useState<Read>({ tail: new Tail(), offset: 0, open: true })
	useEffect(() => {
		const abort = new AbortController()
		let tail = new Tail()
		let offset = 0
		let timer = 0
		let busy = false
		let more = false
		const read = async () => {
			clearTimeout(timer)
			if (busy) {
				more = true
				return
			}
			busy = true
			let open = true
			try {
				do {
					more = false
					const res = await send('GET', `${url}?offset=${offset}`, undefined, abort.signal)
					const data = await res.arrayBuffer()
					const has = Number(res.headers.get('X-File-Bytes') ?? 0)
					open = /queued|running/.test(res.headers.get('X-Job-State') ?? '')
					if (has < offset) {
						// handed out again: it begins anew
						tail = new Tail()
						offset = 0
						more = true
					} else {
						tail.add(data)
						offset += data.byteLength
						more ||= data.byteLength > 0
					}
					set({ tail, offset, open })
				} while (more)
			} catch (e) {
				if (abort.signal.aborted) return
				set({ tail, offset, open: true, error: e instanceof ApiError ? e : new ApiError(0, String(e)) })
				open = e instanceof ApiError && (e.status === 0 || e.status >= 500)
			} finally {
				busy = false
			}
			if (open) timer = setTimeout(read, AGAIN_MS) as unknown as number
		}
		void read()
		const off = listen((events, old) => {
			if (!old && events.some((e) => e.type.startsWith('ci.job.') && e.data.job === job)) void read()
		})
		return () => {
			abort.abort()
			clearTimeout(timer)
			off()
		}
	}, [url, job])
	return now
}

export function Log({ repo, job }: { repo: string; job: string }) {
	const url = `${repoBase(repo)}/ci/jobs/${job}/files/log`
	const { tail, offset, open, error } = useTail(url, job)
	const [follow, setFollow] = useState(true)
	const box = useRef<HTMLPreElement>(null)
	useEffect(() => {
		if (follow && box.current) box.current.scrollTop = box.current.scrollHeight
	}, [offset, follow])
	const scrolled = () => {
		const b = box.current!
		setFollow(b.scrollTop + b.clientHeight >= b.scrollHeight - 40)
	}
	return (
		<Card
			title="Log"
			after={
				<span class="bar plain">
					<label class="check">
						<input type="checkbox" checked={follow} onChange={(e) => setFollow(e.currentTarget.checked)} /> Follow
					</label>
					<a href={url} target="_blank" rel="noreferrer">
						{bytes(offset)} raw
					</a>
				</span>
			}
		>
			{error && error.status !== 404 && <Problem error={error} />}
			{tail.left > 0 && <p class="hint">Only the end is shown.</p>}
			{offset > 0 ? (
				<pre class="joblog" ref={box} tabIndex={0} role="region" aria-label="Log" onScroll={scrolled}>
					{tail.done.map((s, i) => (
						<span key={tail.left + i}>{s}</span>
					))}
					<span key="last">{clean(tail.last)}</span>
				</pre>
			) : (
				!error && <Empty>{open ? 'Nothing was said yet.' : 'It said nothing.'}</Empty>
			)}
			{error?.status === 404 && <Empty>There is no log.</Empty>}
		</Card>
	)
}
