"""taskiq on a stream, which acknowledges: `taskiq worker bench.peers.taskiq_stream:broker --workers 2`."""

from taskiq_redis import RedisStreamBroker

from bench.peers.taskiq import URL, Queue

queue = Queue(RedisStreamBroker(URL, consumer_id="0"))
broker, fill, prepare = queue.broker, queue.fill, queue.prepare
