public import GodwitProtocol

extension ContactMachine {
    public enum Action: Sendable, Hashable {
        /// Start a contact now. It has begun for the machine.
        case startContact
        /// Ask again then, or after the next report.
        case waitUntil(Duration)
        /// Nothing to do until the next report.
        case idle
    }

    public enum Outcome: Sendable, Hashable {
        /// - useful: something was committed on either side.
        /// - more: something still waits on either side.
        case success(useful: Bool, more: Bool)
        /// `retryAfter`: the delay that the peer named.
        case failure(ErrorCode, retryAfter: Duration? = nil)
    }

    /// For `godwit link status`.
    public enum Phase: Sendable, Hashable {
        case idle, waiting, inContact, backoff, windowClosed, budgetSpent
        /// Until `resume`, for this reason.
        case halted(ErrorCode)
    }

    /// What keeps an item from going. Times are on the machine's scale; nil: until a report says otherwise.
    public enum Hold: Sendable, Hashable {
        /// Until `resume`.
        case halted(ErrorCode)
        /// A contact runs, and frames go one after the other.
        case inContact(since: Duration)
        case window(until: Duration?)
        case budget(until: Duration?, sparesUrgent: Bool)
        case backoff(until: Duration, failures: Int)
        /// The peer named a delay.
        case askedToWait(until: Duration)
        /// The contacts before moved nothing.
        case pause(until: Duration)
        /// It waits for company in its frame; `bytes`: until so many on the wire make a contact worthwhile.
        case batching(until: Duration, bytes: ByteCount? = nil)
    }

    public struct Policy: Sendable, Hashable {
        /// Nil: a contact starts only for items.
        public var poll: PollPlan?
        public var batchDelay: Duration
        /// So many waiting bytes need no company.
        public var fullFrame: ByteCount
        public var retry = RetryPolicy()
        /// Fewer bytes on the wire are not worth a contact before `maxWait`, unless something urgent wakes it.
        public var minBatch = ByteCount.zero
        public var maxWait = Duration.zero
        public var wake = WakeRule.inWindow

        public init(poll: PollPlan?, batchDelay: Duration, fullFrame: ByteCount) {
            self.poll = poll
            self.batchDelay = batchDelay
            self.fullFrame = fullFrame
        }

        public init(_ profile: Profile) {
            self.init(
                poll: profile.poll, batchDelay: profile.batchDelay, fullFrame: FrameSizing.payload(up: profile))
            minBatch = profile.minBatch
            maxWait = profile.maxWait
            wake = profile.wakeOnUrgent
        }
    }
}
