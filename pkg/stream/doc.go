// Package stream hands values from one producer to many readers, each with its own promise of what it
// may lose.
//
// A [Topic] is where values are published. A [Subscription] is one reader's queue; its [Policy] names
// what happens when the reader is slower than the producer:
//
//	policy         a slow reader …                              fits
//	Latest         sees only the newest value                   pictures
//	DropOldest(n)  loses the oldest of n waiting values         sound
//	Strict(n)      is ended with ErrOverflow, loses nothing     key presses
//	Block(n)       makes the producer wait                      files, tests
//
// [Policy.Within] adds how old a value may get in the queue. [Delay] subscribes when the reader begins
// to read, so that nothing old waits for it. [Rebatch] cuts blocks into those of another size. [Call]
// calls a function with each value. An [Event] comes once, and a [Getter] is a function that is asked for
// each value.
//
// A [Shared] keeps what such readers have in common, such as a capture, a hold or an encoder: opened for
// the first user of a key, ended with the last. A [Demand] runs work only while somebody wants it;
// [Topic.WhileRead] is the same for the readers of a topic.
//
// # RTCBot's names
//
// RTCBot's subscriptions, which the Python package has under their own names, are here:
//
//	MostRecentSubscription   Topic.Subscribe(Latest())
//	asyncio.Queue            Topic.Subscribe(DropOldest(n)): it has a bound
//	CallbackSubscription     Call(topic, policy, f)
//	EventSubscription        NewEvent
//	GetterSubscription       Getter(f)
//	DelayedSubscription      Delay(topic, policy)
//	RebatchSubscription      Rebatch(reader, size)
//	SubscriptionProducer     Topic: subscribe is Subscribe, unsubscribe is Subscription.Close, put is Publish
//	SubscriptionConsumer     a function that takes a Reader
//	onReady, onError         an Event
//	SubscriptionClosed       the error of Next
//
// # Promises
//
//   - Values reach each subscription in the order in which they were published, none twice.
//   - A reader that stalls never slows the producer or another reader, unless it subscribed with Block.
//   - Every value a subscription did not deliver is counted in [Subscription.Lost].
//   - Values are shared, not copied: treat what you receive as read-only.
//
// Topic is safe for concurrent use. When several goroutines publish at once, each subscription still
// sees one order, but different subscriptions may see different ones. A Subscription has one reader at a
// time; Close may be called from anywhere.
//
// # Shutdown
//
// A Shared owns one goroutine for each resource, which ends with the last user; [Shared.Close] waits for
// all of them. A Callback owns one, which has ended when [Callback.Ended] is closed. Nothing else in the
// package starts goroutines. [Topic.Close] lets readers take what is queued and then ends them with its
// error; [Subscription.Close] discards the queue and ends that reader at once, as well as a producer that
// waits for it.
package stream
