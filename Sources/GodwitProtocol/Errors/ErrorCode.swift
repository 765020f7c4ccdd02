/// The error codes of the protocol (004 §14.2; numbers 4000 to 5000 by gap G-45).
public enum ErrorCode: Int, CaseIterable, Sendable, Hashable {
    case invalidCredentials = 1000
    case sessionExpired = 1001
    case insufficientPermissions = 1002
    case accountSuspended = 1003
    case invalidMessageFormat = 2000
    case messageTooLarge = 2001
    case channelNotFound = 2002
    case userNotFound = 2003
    case nodeUnreachable = 3000
    case federationError = 3001
    case rateLimited = 3002
    case bandwidthExceeded = 3003
    case functionExecutionError = 4000
    case functionResourceExceeded = 4001
    case botPermissionDenied = 5000
    case internalError = 9000
    case maintenanceMode = 9001
    case protocolVersionMismatch = 9002

    public var number: Int { rawValue }

    /// The symbolic name that stands in `error.code`.
    public var name: String {
        switch self {
        case .invalidCredentials: "INVALID_CREDENTIALS"
        case .sessionExpired: "SESSION_EXPIRED"
        case .insufficientPermissions: "INSUFFICIENT_PERMISSIONS"
        case .accountSuspended: "ACCOUNT_SUSPENDED"
        case .invalidMessageFormat: "INVALID_MESSAGE_FORMAT"
        case .messageTooLarge: "MESSAGE_TOO_LARGE"
        case .channelNotFound: "CHANNEL_NOT_FOUND"
        case .userNotFound: "USER_NOT_FOUND"
        case .nodeUnreachable: "NODE_UNREACHABLE"
        case .federationError: "FEDERATION_ERROR"
        case .rateLimited: "RATE_LIMITED"
        case .bandwidthExceeded: "BANDWIDTH_EXCEEDED"
        case .functionExecutionError: "FUNCTION_EXECUTION_ERROR"
        case .functionResourceExceeded: "FUNCTION_RESOURCE_EXCEEDED"
        case .botPermissionDenied: "BOT_PERMISSION_DENIED"
        case .internalError: "INTERNAL_ERROR"
        case .maintenanceMode: "MAINTENANCE_MODE"
        case .protocolVersionMismatch: "PROTOCOL_VERSION_MISMATCH"
        }
    }

    public init?(name: String) {
        guard let code = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = code
    }

    /// HTTP status of an answer that carries this error (gap G-44).
    public var httpStatus: Int {
        switch self {
        case .invalidCredentials, .sessionExpired: 401
        case .insufficientPermissions, .accountSuspended, .botPermissionDenied: 403
        case .invalidMessageFormat: 400
        case .messageTooLarge: 413
        case .channelNotFound, .userNotFound: 404
        case .nodeUnreachable, .bandwidthExceeded, .maintenanceMode: 503
        case .federationError: 502
        case .rateLimited, .functionResourceExceeded: 429
        case .functionExecutionError, .internalError: 500
        case .protocolVersionMismatch: 426
        }
    }

    /// What whoever gets this error does next (004 §14.3).
    public var retry: RetryClass {
        switch self {
        case .nodeUnreachable, .federationError, .internalError, .maintenanceMode: .automatically
        case .rateLimited, .bandwidthExceeded: .afterDelay
        case .invalidCredentials, .sessionExpired, .insufficientPermissions, .accountSuspended: .userIntervention
        case .invalidMessageFormat, .messageTooLarge, .channelNotFound, .userNotFound, .functionExecutionError,
            .functionResourceExceeded, .botPermissionDenied, .protocolVersionMismatch:
            .never
        }
    }
}

/// How a failed request may be repeated (004 §14.3).
public enum RetryClass: String, Sendable, Hashable {
    /// With exponential backoff, without asking anyone.
    case automatically
    /// After `details.retry_after` seconds, else with backoff.
    case afterDelay = "after_delay"
    /// Somebody has to do something first.
    case userIntervention = "user_intervention"
    /// The same request fails again.
    case never
}
