/// What can go wrong inside this room. The raw value is stable and may be logged; no case carries key material or text.
public enum CryptoError: String, Error, Hashable, Sendable, CaseIterable {
    /// A key of the wrong length, of small order, or one whose agreement gives only zeros.
    case invalidKey = "crypto_invalid_key"
    /// Bytes that do not have the form that the protocol gives them.
    case malformed = "crypto_malformed"
    /// The tag does not fit: wrong key, changed bytes, or other associated data.
    case authenticationFailed = "crypto_authentication_failed"
    /// The message would skip more than 2,000 positions of a chain.
    case tooFarAhead = "crypto_too_far_ahead"
    /// The message's key was used already or has been dropped: a repeat, or too old.
    case keyGone = "crypto_key_gone"
    /// A responder cannot send before it has read the initiator's first message.
    case notReady = "crypto_not_ready"
    /// The chain has no further positions.
    case exhausted = "crypto_chain_exhausted"
    /// More bytes than the construction can carry.
    case tooLarge = "crypto_too_large"
    /// Parameters outside the limits of the protocol.
    case parameters = "crypto_parameters"
    /// A memory-hard derivation did not get its memory.
    case outOfMemory = "crypto_out_of_memory"
}
