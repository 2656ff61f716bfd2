#!/usr/bin/env node
// watch.mjs - prints every ref that moves on a node, across restarts of the node, none missed.  See watch.py.
const url = (process.env.GUTS_URL ?? 'http://127.0.0.1:8080') + '/api/v1/events?type=repo.ref.updated';
const token = process.env.GUTS_TOKEN;
let last;

// Server-sent events of a body, as { event, data, id }.
async function* events(body) {
	let text = '';
	for await (const piece of body.pipeThrough(new TextDecoderStream())) {
		const frames = (text + piece).split('\n\n');
		text = frames.pop();
		for (const frame of frames) {
			const lines = frame.split('\n').filter((line) => !line.startsWith(':'));
			yield Object.fromEntries(lines.map((line) => line.match(/^(\w+): ?(.*)$/).slice(1)));
		}
	}
}

for (;;) {
	try {
		const answer = await fetch(url, {
			headers: {
				Accept: 'text/event-stream',
				...(token && { Authorization: `Bearer ${token}` }),
				...(last && { 'Last-Event-ID': last }),
			},
		});
		if (!answer.ok) throw new Error((await answer.json()).message);
		for await (const { event, data, id } of events(answer.body)) {
			last = id ?? last;
			if (event === 'reset') console.log('reset: events were lost, look at all repositories');
			if (event !== 'repo.ref.updated') continue;
			const fact = JSON.parse(data);
			console.log(fact.repo, fact.data.ref, fact.data.kind, fact.data.new, 'by', fact.peer);
		}
	} catch (e) {
		console.log(`connection lost (${e.message}), trying again`);
	}
	await new Promise((go) => setTimeout(go, 1000));
}
