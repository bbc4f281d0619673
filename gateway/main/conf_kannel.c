/*
 * conf_kannel.c - keys that are known from Kannel 1.4.5 and have no effect (yet)
 *
 * `kantele check` names them as such, so that nobody believes in a key that does nothing, and a
 * typing error is still told from a key of Kannel.
 *
 * Knows:     names, types, what each is for.
 * Does not:  read anything.
 * Owns:      nothing. Threads: any; constant.
 */
#include "main/conf_table.h"

#define LATER(key, kind, words)		{ .name = key, .type = kind, .text = words,	\
					  .effect = CONF_LATER }
#define NEVER(key, kind, reason)	{ .name = key, .type = kind, .text = reason,	\
					  .effect = CONF_NEVER }
#define ONE_PROCESS	"there is one process: no box connects"
#define NO_WAP		"browsing with WAP is not served"
#define ONE_LOG		"there is one process with one log: the core group's log-file"
#define SERVICE_MANAGER	"the service manager collects standard error"

const struct conf_key kannel_core_keys[] = {
	NEVER("smsbox-port", CONF_PORT, ONE_PROCESS),
	NEVER("smsbox-port-ssl", CONF_FLAG, ONE_PROCESS),
	NEVER("smsbox-interface", CONF_TEXT, ONE_PROCESS),
	NEVER("smsbox-max-pending", CONF_NUMBER, "the queue has limits of its own"),
	NEVER("wapbox-port", CONF_PORT, ONE_PROCESS),
	NEVER("wapbox-port-ssl", CONF_FLAG, ONE_PROCESS),
	NEVER("box-deny-ip", CONF_IPRULES, ONE_PROCESS),
	NEVER("box-allow-ip", CONF_IPRULES, ONE_PROCESS),
	NEVER("udp-deny-ip", CONF_IPRULES, NO_WAP),
	NEVER("udp-allow-ip", CONF_IPRULES, NO_WAP),
	NEVER("wdp-interface-name", CONF_TEXT, NO_WAP),
	NEVER("syslog-level", CONF_NUMBER, SERVICE_MANAGER),
	NEVER("syslog-facility", CONF_TEXT, SERVICE_MANAGER),
	LATER("access-log", CONF_TEXT, "File with a line for each message."),
	LATER("access-log-time", CONF_TEXT, "Times in that file: local or gmt."),
	LATER("access-log-clean", CONF_FLAG, "Lines of that file begin without a time."),
	LATER("access-log-format", CONF_TEXT, "What the lines of that file hold."),
	LATER("white-list", CONF_TEXT, "List of senders that texts are taken from."),
	LATER("black-list", CONF_TEXT, "List of senders that texts are not taken from."),
	LATER("white-list-regex", CONF_REGEX, "Senders that texts are taken from."),
	LATER("black-list-regex", CONF_REGEX, "Senders that texts are not taken from."),
	LATER("white-list-sender", CONF_TEXT, "List of senders that may be sent from."),
	LATER("black-list-sender", CONF_TEXT, "List of senders that may not be sent from."),
	LATER("white-list-sender-regex", CONF_REGEX, "Senders that may be sent from."),
	LATER("black-list-sender-regex", CONF_REGEX, "Senders that may not be sent from."),
	LATER("white-list-receiver", CONF_TEXT, "List of receivers that may be sent to."),
	LATER("black-list-receiver", CONF_TEXT, "List of receivers that may not be sent to."),
	LATER("http-proxy-exceptions-regex", CONF_REGEX, "Hosts that are called without the proxy."),
	LATER("ssl-client-certkey-file", CONF_TEXT, "Certificate and key that callbacks show."),
	LATER("ssl-client-cipher-list", CONF_TEXT, "Ciphers of callbacks."),
	LATER("ssl-server-cipher-list", CONF_TEXT, "Ciphers of HTTPS doors."),
	NEVER("dlr-storage", CONF_TEXT, "reports are kept in Kantele's own store"),
	NEVER("dlr-spool", CONF_TEXT, "reports are kept in Kantele's own store"),
	LATER("maximum-queue-length", CONF_NUMBER, "Old name of sms-incoming-queue-limit."),
	LATER("sms-incoming-queue-limit", CONF_NUMBER, "Most texts from phones that wait."),
	LATER("sms-combine-concatenated-mo", CONF_FLAG, "Texts from phones are joined."),
	LATER("sms-combine-concatenated-mo-timeout", CONF_SECONDS, "How long parts are waited for."),
	{ .name = NULL }
};

const struct conf_key kannel_smsbox_keys[] = {
	NEVER("bearerbox-host", CONF_TEXT, ONE_PROCESS),
	NEVER("bearerbox-port", CONF_PORT, ONE_PROCESS),
	NEVER("bearerbox-port-ssl", CONF_FLAG, ONE_PROCESS),
	NEVER("xmlrpc-url", CONF_TEXT, "Kannel never finished it: the path answers 404"),
	NEVER("log-file", CONF_TEXT, ONE_LOG),
	NEVER("log-level", CONF_NUMBER, ONE_LOG),
	NEVER("syslog-level", CONF_NUMBER, SERVICE_MANAGER),
	NEVER("syslog-facility", CONF_TEXT, SERVICE_MANAGER),
	LATER("access-log", CONF_TEXT, "File with a line for each request."),
	LATER("access-log-time", CONF_TEXT, "Times in that file: local or gmt."),
	LATER("access-log-clean", CONF_FLAG, "Lines of that file begin without a time."),
	LATER("reply-couldnotfetch", CONF_TEXT, "Answer to a phone: a service did not answer."),
	LATER("reply-couldnotrepresent", CONF_TEXT, "Answer to a phone: no text."),
	LATER("reply-requestfailed", CONF_TEXT, "Answer to a phone: nothing fits."),
	LATER("reply-emptymessage", CONF_TEXT, "Answer to a phone: empty."),
	NEVER("allowed-prefix", CONF_TEXT, "Kannel reads it and does nothing with it"),
	NEVER("denied-prefix", CONF_TEXT, "Kannel reads it and does nothing with it"),
	LATER("white-list", CONF_TEXT, "List of receivers of texts."),
	LATER("black-list", CONF_TEXT, "List of receivers that get no texts."),
	LATER("mo-recode", CONF_FLAG, "UCS-2 texts from phones become UTF-8."),
	{ .name = NULL }
};

const struct conf_key kannel_smsc_keys[] = {
	{ .name = "reconnect-delay", .type = CONF_SECONDS, .standard = "10", .least = 0,
	  .most = 86400,
	  .text = "First pause before a new attempt to connect; grows to ten times this." },
	{ .name = NULL }
};

const struct conf_key kannel_at_keys[] = {
	LATER("device", CONF_TEXT, "Device of the modem."),
	LATER("host", CONF_TEXT, "Host of a modem behind a terminal server."),
	LATER("port", CONF_PORT, "Port of a modem behind a terminal server."),
	LATER("speed", CONF_NUMBER, "Speed of the line; 0 probes."),
	LATER("modemtype", CONF_TEXT, "Which group modems describes it; auto asks it."),
	LATER("pin", CONF_SECRET, "PIN of the SIM card."),
	LATER("sms-center", CONF_TEXT, "Number of the SMSC."),
	LATER("keepalive", CONF_SECONDS, "How often the modem is asked whether it is alive."),
	LATER("sim-buffering", CONF_FLAG, "Texts are fetched from the SIM card."),
	LATER("validityperiod", CONF_NUMBER, "Validity, as TP-VP."),
	LATER("max-error-count", CONF_NUMBER, "Errors after which the modem is reset."),
	LATER("smsc-username", CONF_TEXT, "User name of a terminal server."),
	LATER("smsc-password", CONF_SECRET, "Password of a terminal server."),
	LATER("login-prompt", CONF_TEXT, "What a terminal server asks for the name with."),
	LATER("password-prompt", CONF_TEXT, "What a terminal server asks for the password with."),
	{ .name = NULL }
};

const struct conf_key kannel_http_keys[] = {
	LATER("system-type", CONF_TEXT, "Whose interface: kannel, generic, brunet, xidris, clickatell."),
	LATER("send-url", CONF_TEXT, "Where messages are sent."),
	LATER("port", CONF_PORT, "Port that texts and reports come to."),
	LATER("connect-allow-ip", CONF_IPRULES, "Who may bring them."),
	LATER("smsc-username", CONF_TEXT, "User name there."),
	LATER("smsc-password", CONF_SECRET, "Password there."),
	LATER("no-sender", CONF_FLAG, "No sender is sent."),
	LATER("no-coding", CONF_FLAG, "No coding is sent."),
	LATER("no-sep", CONF_FLAG, "No separator in hex."),
	LATER("dlr-url", CONF_TEXT, "Where reports are to come."),
	LATER("use-ssl", CONF_FLAG, "HTTPS."),
	LATER("ssl-client-certkey-file", CONF_TEXT, "Certificate and key to show."),
	LATER("max-pending-submits", CONF_NUMBER, "Requests at the same time."),
	LATER("status-success-regex", CONF_REGEX, "Answers that mean success."),
	LATER("status-permfail-regex", CONF_REGEX, "Answers that mean failure."),
	LATER("status-tempfail-regex", CONF_REGEX, "Answers that mean later."),
	LATER("generic-message-sent", CONF_TEXT, "Answer to who brings a text."),
	LATER("generic-status-sent", CONF_NUMBER, "Status for a text that was taken."),
	LATER("generic-status-error", CONF_NUMBER, "Status for one that was not."),
	LATER("generic-foreign-id-regex", CONF_REGEX, "Where the id stands in an answer."),
	LATER("generic-param-username", CONF_TEXT, "Name of a parameter."),
	LATER("generic-param-password", CONF_TEXT, "Name of a parameter."),
	LATER("generic-param-from", CONF_TEXT, "Name of a parameter."),
	LATER("generic-param-to", CONF_TEXT, "Name of a parameter."),
	LATER("generic-param-text", CONF_TEXT, "Name of a parameter."),
	LATER("generic-param-udh", CONF_TEXT, "Name of a parameter."),
	LATER("generic-param-service", CONF_TEXT, "Name of a parameter."),
	LATER("generic-param-account", CONF_TEXT, "Name of a parameter."),
	LATER("generic-param-binfo", CONF_TEXT, "Name of a parameter."),
	LATER("generic-param-dlr-mask", CONF_TEXT, "Name of a parameter."),
	LATER("generic-param-dlr-err", CONF_TEXT, "Name of a parameter."),
	LATER("generic-param-dlr-url", CONF_TEXT, "Name of a parameter."),
	LATER("generic-param-dlr-mid", CONF_TEXT, "Name of a parameter."),
	LATER("generic-param-flash", CONF_TEXT, "Name of a parameter."),
	LATER("generic-param-mclass", CONF_TEXT, "Name of a parameter."),
	LATER("generic-param-mwi", CONF_TEXT, "Name of a parameter."),
	LATER("generic-param-coding", CONF_TEXT, "Name of a parameter."),
	LATER("generic-param-validity", CONF_TEXT, "Name of a parameter."),
	LATER("generic-param-deferred", CONF_TEXT, "Name of a parameter."),
	LATER("generic-param-foreign-id", CONF_TEXT, "Name of a parameter."),
	LATER("generic-param-meta-data", CONF_TEXT, "Name of a parameter."),
	{ .name = NULL }
};

const struct conf_key kannel_fake_keys[] = {
	LATER("host", CONF_TEXT, "Host of the fake SMSC."),
	LATER("port", CONF_PORT, "Port that it connects to."),
	LATER("connect-allow-ip", CONF_IPRULES, "Who may connect."),
	{ .name = NULL }
};

#define NO_DRIVER	"it belongs to a kind of link that is not planned"

const struct conf_key kannel_other_smsc_keys[] = {
	NEVER("alt-host", CONF_TEXT, NO_DRIVER),
	NEVER("alt-port", CONF_PORT, NO_DRIVER),
	NEVER("smsc_nua", CONF_TEXT, NO_DRIVER),
	NEVER("home_nua", CONF_TEXT, NO_DRIVER),
	NEVER("wait_report", CONF_TEXT, NO_DRIVER),
	NEVER("wait-report", CONF_TEXT, NO_DRIVER),
	NEVER("ois-debug-level", CONF_NUMBER, NO_DRIVER),
	NEVER("sender-prefix", CONF_TEXT, NO_DRIVER),
	NEVER("flow-control", CONF_TEXT, NO_DRIVER),
	NEVER("no-dlr", CONF_FLAG, NO_DRIVER),
	NEVER("notification-pid", CONF_TEXT, NO_DRIVER),
	NEVER("notification-addr", CONF_TEXT, NO_DRIVER),
	NEVER("appname", CONF_TEXT, NO_DRIVER),
	NEVER("ussdc", CONF_TEXT, NO_DRIVER),
	NEVER("session-length", CONF_NUMBER, NO_DRIVER),
	NEVER("window", CONF_NUMBER, NO_DRIVER),
	NEVER("idle-timeout", CONF_SECONDS, NO_DRIVER),
	NEVER("phone", CONF_TEXT, NO_DRIVER),
	NEVER("modem-type", CONF_TEXT, NO_DRIVER),
	{ .name = NULL }
};

const struct conf_key kannel_modems_keys[] = {
	LATER("id", CONF_TEXT, "Name of the type."),
	LATER("name", CONF_TEXT, "Name for people."),
	LATER("detect-string", CONF_TEXT, "What the modem calls itself."),
	LATER("detect-string2", CONF_TEXT, "What else it calls itself."),
	LATER("init-string", CONF_TEXT, "Commands at the start."),
	LATER("speed", CONF_NUMBER, "Speed of the line."),
	LATER("enable-hwhs", CONF_TEXT, "Command for hardware handshake."),
	LATER("reset-string", CONF_TEXT, "Command that resets it."),
	LATER("need-sleep", CONF_FLAG, "It needs pauses."),
	LATER("no-pin", CONF_FLAG, "It cannot take a PIN."),
	LATER("no-smsc", CONF_FLAG, "It cannot take the number of an SMSC."),
	LATER("broken", CONF_FLAG, "It does not keep to the standard."),
	LATER("sendline-sleep", CONF_NUMBER, "Pause between lines."),
	LATER("keepalive-cmd", CONF_TEXT, "Command that shows whether it is alive."),
	LATER("message-storage", CONF_TEXT, "Where it keeps texts."),
	LATER("message-start", CONF_NUMBER, "Number of its first text."),
	LATER("enable-mms", CONF_FLAG, "More messages to send."),
	LATER("hardware-flow-control", CONF_FLAG, "Hardware flow control."),
	{ .name = NULL }
};

const struct conf_key kannel_ppg_keys[] = {
	LATER("ppg-url", CONF_TEXT, "Path of the push door."),
	LATER("ppg-port", CONF_PORT, "Port of the push door."),
	LATER("ppg-ssl-port", CONF_PORT, "Port of the push door for HTTPS."),
	LATER("ssl-server-cert-file", CONF_TEXT, "Its certificate."),
	LATER("ssl-server-key-file", CONF_TEXT, "Its key."),
	LATER("trusted-pi", CONF_FLAG, "Push initiators need no password."),
	NEVER("concurrent-pushes", CONF_NUMBER, "tables grow by themselves"),
	NEVER("users", CONF_NUMBER, "tables grow by themselves"),
	LATER("ppg-allow-ip", CONF_IPRULES, "Who may push."),
	LATER("ppg-deny-ip", CONF_IPRULES, "Who may not."),
	LATER("global-sender", CONF_TEXT, "Sender of pushes."),
	LATER("default-smsc", CONF_TEXT, "smsc-id of pushes."),
	LATER("default-dlr-url", CONF_TEXT, "Where reports go."),
	LATER("default-dlr", CONF_TEXT, "Another name of default-dlr-url."),
	NEVER("ppg-smsbox-id", CONF_TEXT, ONE_PROCESS),
	LATER("service-name", CONF_TEXT, "Name in logs and in %n."),
	{ .name = NULL }
};

const struct conf_key kannel_push_user_keys[] = {
	LATER("wap-push-user", CONF_TEXT, "Name of the account."),
	LATER("ppg-username", CONF_TEXT, "User name."),
	LATER("ppg-password", CONF_SECRET, "Password."),
	LATER("country-prefix", CONF_TEXT, "Prefix of national numbers."),
	LATER("allowed-prefix", CONF_TEXT, "Receivers that may be pushed to."),
	LATER("denied-prefix", CONF_TEXT, "Receivers that may not."),
	LATER("allowed-prefix-regex", CONF_REGEX, "The same, by regular expression."),
	LATER("denied-prefix-regex", CONF_REGEX, "The same, by regular expression."),
	LATER("white-list", CONF_TEXT, "List of receivers."),
	LATER("black-list", CONF_TEXT, "List of receivers."),
	LATER("white-list-regex", CONF_REGEX, "Receivers that may be pushed to."),
	LATER("black-list-regex", CONF_REGEX, "Receivers that may not."),
	LATER("deny-ip", CONF_IPRULES, "Who may not push."),
	LATER("allow-ip", CONF_IPRULES, "Who may."),
	LATER("forced-smsc", CONF_TEXT, "smsc-id of all pushes."),
	LATER("default-smsc", CONF_TEXT, "smsc-id of pushes."),
	LATER("dlr-url", CONF_TEXT, "Where reports go."),
	NEVER("smsbox-id", CONF_TEXT, ONE_PROCESS),
	{ .name = NULL }
};

const struct conf_key kannel_wapbox_keys[] = {
	NEVER("bearerbox-host", CONF_TEXT, ONE_PROCESS),
	NEVER("bearerbox-port", CONF_PORT, ONE_PROCESS),
	NEVER("bearerbox-port-ssl", CONF_FLAG, ONE_PROCESS),
	LATER("concatenation", CONF_FLAG, "Pushes are concatenated."),
	LATER("max-messages", CONF_NUMBER, "Most segments of a push."),
	NEVER("log-file", CONF_TEXT, ONE_LOG),
	NEVER("log-level", CONF_NUMBER, ONE_LOG),
	NEVER("syslog-level", CONF_NUMBER, SERVICE_MANAGER),
	NEVER("syslog-facility", CONF_TEXT, SERVICE_MANAGER),
	LATER("access-log", CONF_TEXT, "File with a line for each push."),
	LATER("access-log-time", CONF_TEXT, "Times in that file."),
	LATER("access-log-clean", CONF_FLAG, "Lines of that file begin without a time."),
	LATER("http-interface-name", CONF_TEXT, "Address that the push door listens on."),
	LATER("http-timeout", CONF_SECONDS, "Time for a request."),
	NEVER("timer-freq", CONF_NUMBER, NO_WAP),
	NEVER("url-map", CONF_TEXT, NO_WAP),
	NEVER("map-url", CONF_TEXT, NO_WAP),
	NEVER("map-url-max", CONF_NUMBER, NO_WAP),
	NEVER("map-url-0", CONF_TEXT, NO_WAP),
	NEVER("map-url-1", CONF_TEXT, NO_WAP),
	NEVER("map-url-2", CONF_TEXT, NO_WAP),
	NEVER("map-url-3", CONF_TEXT, NO_WAP),
	NEVER("map-url-4", CONF_TEXT, NO_WAP),
	NEVER("map-url-5", CONF_TEXT, NO_WAP),
	NEVER("map-url-6", CONF_TEXT, NO_WAP),
	NEVER("map-url-7", CONF_TEXT, NO_WAP),
	NEVER("map-url-8", CONF_TEXT, NO_WAP),
	NEVER("map-url-9", CONF_TEXT, NO_WAP),
	NEVER("device-home", CONF_TEXT, NO_WAP),
	NEVER("smart-errors", CONF_FLAG, NO_WAP),
	NEVER("wml-strict", CONF_FLAG, NO_WAP),
	{ .name = NULL }
};

const struct conf_key kannel_service_keys[] = {
	LATER("keyword", CONF_TEXT, "First word of the text."),
	LATER("keyword-regex", CONF_REGEX, "First word, by regular expression."),
	LATER("name", CONF_TEXT, "Name of the service."),
	LATER("aliases", CONF_TEXT, "Other keywords."),
	LATER("catch-all", CONF_FLAG, "Texts with parameters that nobody asked for."),
	LATER("accepted-smsc", CONF_TEXT, "Links that it serves."),
	LATER("accepted-smsc-regex", CONF_REGEX, "The same, by regular expression."),
	LATER("accepted-account", CONF_TEXT, "Accounts that it serves."),
	LATER("accepted-account-regex", CONF_REGEX, "The same, by regular expression."),
	LATER("allowed-prefix", CONF_TEXT, "Senders that it serves."),
	LATER("denied-prefix", CONF_TEXT, "Senders that it does not serve."),
	LATER("allowed-prefix-regex", CONF_REGEX, "The same, by regular expression."),
	LATER("denied-prefix-regex", CONF_REGEX, "The same, by regular expression."),
	LATER("allowed-receiver-prefix", CONF_TEXT, "Own numbers that it serves."),
	LATER("denied-receiver-prefix", CONF_TEXT, "Own numbers that it does not serve."),
	LATER("allowed-receiver-prefix-regex", CONF_REGEX, "The same, by regular expression."),
	LATER("denied-receiver-prefix-regex", CONF_REGEX, "The same, by regular expression."),
	LATER("white-list", CONF_TEXT, "List of senders."),
	LATER("black-list", CONF_TEXT, "List of senders."),
	LATER("white-list-regex", CONF_REGEX, "Senders that it serves."),
	LATER("black-list-regex", CONF_REGEX, "Senders that it does not serve."),
	LATER("get-url", CONF_TEXT, "URL to get."),
	LATER("url", CONF_TEXT, "Old name of get-url."),
	LATER("post-url", CONF_TEXT, "URL to post the text to."),
	LATER("post-xml", CONF_TEXT, "URL to post XML to."),
	LATER("file", CONF_TEXT, "File to answer with."),
	LATER("text", CONF_TEXT, "Text to answer with."),
	LATER("exec", CONF_TEXT, "Program to run."),
	LATER("max-messages", CONF_NUMBER, "Most segments of the answer; 0: no answer."),
	LATER("concatenation", CONF_FLAG, "The answer is concatenated."),
	LATER("split-chars", CONF_TEXT, "Where the answer is cut."),
	LATER("split-suffix", CONF_TEXT, "End of each part."),
	LATER("header", CONF_TEXT, "Begin of each part."),
	LATER("footer", CONF_TEXT, "End of each part."),
	LATER("omit-empty", CONF_FLAG, "Empty answers are not sent."),
	LATER("prefix", CONF_TEXT, "Where the answer begins in a page."),
	LATER("suffix", CONF_TEXT, "Where it ends."),
	LATER("assume-plain-text", CONF_FLAG, "Octets are text."),
	LATER("accept-x-kannel-headers", CONF_FLAG, "The answer's headers count."),
	LATER("strip-keyword", CONF_FLAG, "The keyword is not passed on."),
	LATER("send-sender", CONF_FLAG, "The sender is passed on."),
	LATER("faked-sender", CONF_TEXT, "Sender of the answer."),
	LATER("forced-smsc", CONF_TEXT, "smsc-id of the answer."),
	LATER("default-smsc", CONF_TEXT, "smsc-id of an answer that names none."),
	LATER("dlr-url", CONF_TEXT, "Where reports go."),
	LATER("dlr-mask", CONF_NUMBER, "Which reports."),
	LATER("alt-charset", CONF_TEXT, "Charset that texts are passed on in."),
	LATER("http-timeout", CONF_SECONDS, "Time for the call."),
	{ .name = NULL }
};

#define NO_ROUTE	"there is one process: nothing to route to"
#define OWN_STORE	"reports are kept in Kantele's own store"

const struct conf_key kannel_smsbox_route_keys[] = {
	NEVER("smsbox-id", CONF_TEXT, NO_ROUTE),
	NEVER("smsc-id", CONF_TEXT, NO_ROUTE),
	NEVER("smsc-ids", CONF_TEXT, NO_ROUTE),
	NEVER("shortcode", CONF_TEXT, NO_ROUTE),
	NEVER("shortcodes", CONF_TEXT, NO_ROUTE),
	{ .name = NULL }
};

const struct conf_key kannel_dlr_db_keys[] = {
	NEVER("id", CONF_TEXT, OWN_STORE),
	NEVER("table", CONF_TEXT, OWN_STORE),
	NEVER("ttl", CONF_NUMBER, OWN_STORE),
	NEVER("field-smsc", CONF_TEXT, OWN_STORE),
	NEVER("field-timestamp", CONF_TEXT, OWN_STORE),
	NEVER("field-source", CONF_TEXT, OWN_STORE),
	NEVER("field-destination", CONF_TEXT, OWN_STORE),
	NEVER("field-service", CONF_TEXT, OWN_STORE),
	NEVER("field-url", CONF_TEXT, OWN_STORE),
	NEVER("field-mask", CONF_TEXT, OWN_STORE),
	NEVER("field-status", CONF_TEXT, OWN_STORE),
	NEVER("field-boxc-id", CONF_TEXT, OWN_STORE),
	{ .name = NULL }
};

const struct conf_key kannel_database_keys[] = {
	NEVER("id", CONF_TEXT, OWN_STORE),
	NEVER("host", CONF_TEXT, OWN_STORE),
	NEVER("hostaddr", CONF_TEXT, OWN_STORE),
	NEVER("server", CONF_TEXT, OWN_STORE),
	NEVER("port", CONF_PORT, OWN_STORE),
	NEVER("username", CONF_TEXT, OWN_STORE),
	NEVER("password", CONF_SECRET, OWN_STORE),
	NEVER("database", CONF_TEXT, OWN_STORE),
	NEVER("url", CONF_TEXT, OWN_STORE),
	NEVER("tnsname", CONF_TEXT, OWN_STORE),
	NEVER("tty", CONF_TEXT, OWN_STORE),
	NEVER("options", CONF_TEXT, OWN_STORE),
	NEVER("max-connections", CONF_NUMBER, OWN_STORE),
	NEVER("idle-timeout", CONF_NUMBER, OWN_STORE),
	NEVER("lock-timeout", CONF_NUMBER, OWN_STORE),
	{ .name = NULL }
};

const struct conf_key kannel_store_db_keys[] = {
	NEVER("id", CONF_TEXT, OWN_STORE),
	NEVER("table", CONF_TEXT, OWN_STORE),
	NEVER("hash", CONF_TEXT, OWN_STORE),
	{ .name = NULL }
};
