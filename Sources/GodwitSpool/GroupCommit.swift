import GRDB
import Glibc
import Synchronization

/// One caller's part of a shared transaction.
struct CommitJob: Sendable {
    /// Runs the caller's closure and gives what hands the caller its result, to be called after the commit. May be
    /// called again: what it did the first time was undone then.
    let run: @Sendable (SQLiteTransaction) throws -> @Sendable () -> Void
    let fail: @Sendable (any Error) -> Void
}

/// Lets concurrent writers share one SQLite transaction and so one fsync (habit 3).
///
/// Callers line up; a group takes those who are there, and until its commit those who come while it runs, up to
/// `groupMax` in all. A caller is resumed only after the commit of its group, so the line is never longer than there are
/// suspended callers.
///
/// Who fails undoes its own part only. Most that fail have changed nothing by then, so a group does without savepoints,
/// which cost a twentieth of a message, until one fails that has: then it begins anew, with a savepoint for each.
final class GroupCommit: Sendable {
    static let groupMax = 256

    private struct Line {
        var jobs: [CommitJob] = []
        var running = false
        var closed = false
        var idle: [CheckedContinuation<Void, Never>] = []
        var groups = 0
    }

    private let line = Mutex(Line())
    private let pool: DatabasePool
    private let memory: WriterMemory
    private let makeTransaction: @Sendable (Database, SQLiteTransaction.BlobJournal) -> SQLiteTransaction
    private let afterGroup: @Sendable (_ orphans: [[UInt8]], Database) -> Void

    /// - Parameter afterGroup: called on the writer's queue outside transactions, with digests of files that may have
    ///   lost their last row.
    init(
        pool: DatabasePool, memory: WriterMemory,
        makeTransaction: @escaping @Sendable (Database, SQLiteTransaction.BlobJournal) -> SQLiteTransaction,
        afterGroup: @escaping @Sendable (_ orphans: [[UInt8]], Database) -> Void
    ) {
        self.pool = pool
        self.memory = memory
        self.makeTransaction = makeTransaction
        self.afterGroup = afterGroup
    }

    /// Callers that wait for their group, and transactions begun so far.
    var state: (waiting: Int, groups: Int) { line.withLock { ($0.jobs.count, $0.groups) } }

    func submit(_ job: CommitJob) {
        enum Step { case start, wait, refuse }
        let step = line.withLock { line -> Step in
            guard !line.closed else { return .refuse }
            line.jobs.append(job)
            guard !line.running else { return .wait }
            line.running = true
            return .start
        }
        switch step {
        case .start: startGroup()
        case .wait: break
        case .refuse: job.fail(SpoolError(.closed, "The spool is closed."))
        }
    }

    /// Refuses new callers and returns when the waiting ones are served.
    func close() async {
        await withCheckedContinuation { continuation in
            let idle = line.withLock { line in
                line.closed = true
                if line.running { line.idle.append(continuation) }
                return !line.running
            }
            if idle { continuation.resume() }
        }
    }

    private func startGroup() {
        pool.asyncWriteWithoutTransaction { database in
            self.line.withLock { $0.groups += 1 }
            self.commit(self.take(Self.groupMax), database)
            let (more, idle) = self.line.withLock { line -> (Bool, [CheckedContinuation<Void, Never>]) in
                line.running = !line.jobs.isEmpty
                guard !line.running else { return (true, []) }
                defer { line.idle = [] }
                return (false, line.idle)
            }
            for continuation in idle { continuation.resume() }
            if more { self.startGroup() }
        }
    }

    /// The first of the line, at most so many.
    private func take(_ most: Int) -> ArraySlice<CommitJob> {
        line.withLock { line in
            let group = line.jobs.prefix(most)
            line.jobs.removeFirst(group.count)
            return group
        }
    }

    /// Runs a group to its end: if SQLite undoes a whole transaction, those who had run get its error and the rest
    /// get a transaction of their own. Everybody is told in the order in which they came.
    private func commit(_ group: ArraySlice<CommitJob>, _ database: Database) {
        var rest = group
        var marks = false
        while !rest.isEmpty {
            var outcome = runTransaction(&rest, marks: marks, database)
            marks = outcome.error is PartFailed
            if marks {
                afterGroup(outcome.orphans, database)
                rest = outcome.parts.map(\.job) + rest
                continue
            }
            if outcome.parts.isEmpty, let job = rest.popFirst() {
                outcome.parts.append(
                    Part(job: job, error: outcome.error ?? SpoolError(.unusable, "No transaction could be begun.")))
            }
            afterGroup(outcome.orphans, database)
            for part in outcome.parts {
                if let error = part.error ?? outcome.error {
                    part.job.fail(SpoolFailure.translate(error))
                } else {
                    part.done?()
                }
            }
        }
    }

    /// What became of one caller's part: it is done if neither it nor the whole failed.
    private struct Part {
        var job: CommitJob
        var done: (@Sendable () -> Void)?
        var error: (any Error)?
    }

    /// A part that has changed something failed where it has no savepoint.
    private struct PartFailed: Error {}

    private struct Outcome {
        /// Of those who were begun.
        var parts: [Part] = []
        var orphans: [[UInt8]] = []
        /// The transaction as a whole came to nothing.
        var error: (any Error)?
    }

    /// - Parameter marks: each part has a savepoint.
    private func runTransaction(
        _ rest: inout ArraySlice<CommitJob>, marks: Bool, _ database: Database
    ) -> Outcome {
        var outcome = Outcome()
        var dropped: [[UInt8]] = []
        do {
            memory.groupBegins()
            try database.inTransaction(.immediate) {
                while true {
                    if rest.isEmpty {
                        // Whoever has come meanwhile shares the commit: most writers of the group before, just resumed.
                        // Where the core is busy those who read them get their turn first.
                        sched_yield()
                        rest = take(Self.groupMax - outcome.parts.count)
                    }
                    guard let job = rest.popFirst() else { break }
                    let journal = SQLiteTransaction.BlobJournal()
                    // Whatever becomes of this part: a file that it made may be without a row in the end.
                    defer { outcome.orphans += journal.created }
                    let before = memory.changes(database)
                    do {
                        let transaction = makeTransaction(database, journal)
                        let done = try marks ? runPart(job, transaction, database) : job.run(transaction)
                        outcome.parts.append(Part(job: job, done: done))
                        dropped += journal.dropped
                    } catch {
                        outcome.parts.append(Part(job: job, error: error))
                        guard database.isInsideTransaction else { throw error }
                        guard marks || memory.changes(database) == before else { throw PartFailed() }
                    }
                }
                return .commit
            }
            outcome.orphans += dropped
        } catch {
            memory.forget()
            outcome.error = error
        }
        return outcome
    }

    /// Runs one caller's part in a savepoint, and undoes it if it fails. Prepared statements, for this is done for every
    /// message.
    private func runPart(
        _ job: CommitJob, _ transaction: SQLiteTransaction, _ database: Database
    ) throws -> @Sendable () -> Void {
        let before = memory.changes(database)
        try memory.statement(.savepoint, database).run()
        do {
            let done = try job.run(transaction)
            try memory.statement(.release, database).run()
            return done
        } catch {
            if memory.changes(database) != before { memory.forget() }
            // SQLite may have undone the whole transaction already.
            if database.isInsideTransaction {
                try memory.statement(.rollBack, database).run()
                try memory.statement(.release, database).run()
            }
            throw error
        }
    }
}
