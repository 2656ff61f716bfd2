// The CI tab of a repository.
import { repoHref } from '../router'
import { plain } from '../text'
import { Empty } from '../ui'
import { JobPage } from './job'
import { JobList } from './jobs'
import { Queues } from './queues'

export function RepoCi({ repo, job }: { repo: { id: string; path: string }; job?: string }) {
	if (job) return <JobPage key={job} repo={repo} id={job} />
	return (
		<>
			<JobList
				at={{ repo, to: (query) => repoHref(repo.path, ['ci'], '', query) }}
				none={
					<>
						<Empty>No job yet. Make a queue, be a runner, and push:</Empty>
						<pre class="commands" tabIndex={0}>
							{`guts ci add ${plain(repo.path)}\nguts ci run --repo ${plain(repo.path)} -- make check`}
						</pre>
					</>
				}
			/>
			<Queues repo={repo} />
		</>
	)
}
