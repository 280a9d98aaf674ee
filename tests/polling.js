// Task başlat
const response = await axios.post('/api/mutabakat/generate-pdf-async', {
  mutabakat_id: 123
});

const task_id = response.data.task_id;

// Progress polling
const interval = setInterval(async () => {
  const progress = await axios.get(`/api/tasks/${task_id}/status`);
  
  console.log(`Progress: ${progress.data.current}/${progress.data.total}`);
  console.log(`Status: ${progress.data.status}`);
  
  if (progress.data.state === 'SUCCESS') {
    clearInterval(interval);
    console.log('Task completed!', progress.data.result);
  }
}, 1000);
